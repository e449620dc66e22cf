#!/usr/bin/env bash
# Compares our Nexmark events with those of the public generator, which is compiled from its repository at run time.
# usage: NEXMARK_GIT=… [EVENTS=1000000] check.sh        needs Flink's jars (flink_up.sh fetch) and a JDK
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
export TIDEMILL_CACHE=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$TIDEMILL_CACHE/target}
: "${NEXMARK_GIT:?is missing: a git directory of the public repository nexmark/nexmark}"
events=${EVENTS:-1000000}
flink=$TIDEMILL_CACHE/rival/flink-${FLINK_VERSION:-2.3.0}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

folder=nexmark-flink/src/main/java/com/github/nexmark/flink
git --git-dir "$NEXMARK_GIT" archive HEAD "$folder"/{generator,model,NexmarkConfiguration.java,utils/NexmarkUtils.java} | tar x -C "$work"
rm -f "$work/$folder/generator/SideInputGenerator.java"   # not of the events
find "$work" -name '*.java' -exec sed -i '/javax.annotation.Nullable/d; s/@Nullable//g' {} +
slf4j=$(find "$TIDEMILL_CACHE"/rival "$HOME/.m2" -name 'slf4j-api-*.jar' 2>/dev/null | head -1)
jars=$(printf '%s:' "$flink"/lib/*.jar)$slf4j
find "$work" "$HERE" -name '*.java' -print0 | xargs -0 javac -nowarn -d "$work/classes" -cp "$jars"
java -cp "$work/classes:$jars" ReferenceRows "$events" >"$work/theirs.tsv" 2>/dev/null
(cd "$ROOT" && cargo run -q -p tidemill-connectors --example nexmark_rows -- "$events") >"$work/ours.json"
python3 "$HERE/compare.py" "$work/ours.json" "$work/theirs.tsv"
