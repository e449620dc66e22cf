#!/usr/bin/env bash
# Compiles the page-views connector against Flink's jars. usage: build.sh FLINK_HOME JAR
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
flink=$1; jar=$2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/META-INF/services" "$(dirname "$jar")"
javac -nowarn --release 17 -d "$work" -cp "$(printf '%s:' "$flink"/lib/flink-{dist,table-api-java-uber,table-runtime}-*.jar)" "$HERE"/*.java
echo tidemill.rival.PageViewsFactory >"$work/META-INF/services/org.apache.flink.table.factories.Factory"
jar cf "$jar" -C "$work" .
