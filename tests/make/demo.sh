#!/usr/bin/env bash
# Runs the local variant of the page-views example until Ctrl-C, which stops it with a snapshot: the next run resumes.
#   DEMO_SECONDS=N   stop by itself after N seconds, and print what was reached as one JSON object
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_rust
cargo build --locked --profile "$PROFILE" -p tidemill -p tidemill-worker >&2
exec "$(built tidemill)" run examples/page-views-local/
