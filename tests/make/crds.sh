#!/usr/bin/env bash
# Writes the custom resource definitions, from the Rust types, to crds/ and into the chart.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_rust
cargo run --locked -p tidemill-operator -- crds --out .
