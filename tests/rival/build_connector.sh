#!/usr/bin/env bash
# Compiles a folder with a table connector for Flink against Flink's jars. usage: build_connector.sh FOLDER FLINK_HOME JAR
set -euo pipefail
folder=$(cd "$1" && pwd); flink=$2; jar=$3
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/META-INF/services" "$(dirname "$jar")"
javac -nowarn --release 17 -d "$work" -cp "$(printf '%s:' "$flink"/lib/flink-{dist,table-api-java-uber,table-runtime}-*.jar)" "$folder"/*.java
echo "tidemill.rival.$(basename "$folder"/*Factory.java .java)" >"$work/META-INF/services/org.apache.flink.table.factories.Factory"
jar cf "$jar" -C "$work" .
