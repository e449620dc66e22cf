#!/usr/bin/env bash
# Builds the modules from c/ and rust/ and writes them into modules.yaml. Needs clang and lld 14 or newer, and a Rust
# toolchain with the target: rustup target add wasm32-unknown-unknown
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CLANG:-clang}" --target=wasm32 -Os -nostdlib -Wall -Wextra -Wl,--no-entry,--strip-all \
  c/count_char.c -o "$out/count_char.wasm"
rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib \
  -C opt-level=s -C lto -C panic=abort -C strip=symbols rust/words.rs -o "$out/words.wasm"
{
  echo "# The modules, as kubectl create configmap --from-file makes them. Written by build.sh."
  echo "apiVersion: v1"
  echo "kind: ConfigMap"
  echo "metadata:"
  echo "  name: text-functions"
  echo "binaryData:"
  for module in count_char words; do
    echo "  $module.wasm: $(base64 -w0 "$out/$module.wasm")"
  done
} >modules.yaml
