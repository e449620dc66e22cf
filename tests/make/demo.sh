#!/usr/bin/env bash
# Runs the local variant of the page-views example until Ctrl-C, which stops it with a snapshot: the next run resumes.
#   DEMO_SECONDS=N   stop by itself after N seconds, and print what was reached as one JSON object
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_rust
cargo build --locked --profile "$PROFILE" -p tidemill >&2
options=()
[ -z "${DEMO_SECONDS:-}" ] || options=(--seconds "$DEMO_SECONDS" --report json)
exec "$(built tidemill)" run "${options[@]}" examples/page-views-local/
