#!/usr/bin/env bash
# Tidemill and Apache Flink side by side; see README.md. Prints a table, and one JSON object as its last line.
# usage: [EVENTS=5000000 RUNS=2 CASES=… SHAPES=… ENGINES=…] run.sh
set -euo pipefail
source "$(dirname "$0")/prepare.sh"

install_missing
build
fetch
export PAGE_VIEWS_JAR=$BENCH_DIR/page-views.jar
"$HERE/../rival/build_connector.sh" "$HERE/../rival/page-views" "$TIDEMILL_CACHE/rival/flink-$FLINK_VERSION" "$PAGE_VIEWS_JAR"
exec python3 "$HERE/bench.py"
