#!/usr/bin/env bash
# The Nexmark queries on Tidemill and Apache Flink side by side; see README.md. Prints a table, and one JSON object as its last
# line. usage: [RUN=q0,q5 EVENTS=10000000 SEED=1 TRACK=a,b REPEATS=2 NEXMARK_GIT=… NEXMARK_JAR=…] nexmark.sh
set -euo pipefail
source "$(dirname "$0")/prepare.sh"

install_missing
build
fetch
export CSV_LOOKUP_JAR=$BENCH_DIR/csv-lookup.jar
"$HERE/../rival/build_connector.sh" "$HERE/../rival/csv-lookup" "$TIDEMILL_CACHE/rival/flink-$FLINK_VERSION" "$CSV_LOOKUP_JAR"
exec python3 "$HERE/nexmark.py"
