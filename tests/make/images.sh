#!/usr/bin/env bash
# Builds Tidemill's container image as an OCI archive, without a container engine, and prints the archive's path:
#   images.sh        PROFILE=dev|release, TAG=dev, WITH_TESTS=1 where the tests have been built: they ask for more features
#                    of the dependencies, and without them those would be built anew
# The image holds static programs, the certificate authorities of this machine, and nothing else.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_rust
bin=$(tests/cluster/build.sh)

programs=(tidemill-operator tidemill-worker tidemill-store)
targets=(--bins)
[ -z "${WITH_TESTS:-}" ] || targets+=(--tests)
cargo build --locked --profile "$PROFILE" --workspace "${targets[@]}" >&2

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
adds=()
for program in "${programs[@]}"; do
  strip -o "$staging/$program" "$(built "$program")"
  adds+=(-add "$staging/$program=/$program")
done
authorities=/etc/ssl/certs/ca-certificates.crt
install_missing ca-certificates:-
adds+=(-add "$authorities=$authorities")

mkdir -p "$(dirname "$ARCHIVE")"
"$bin/tb" image -o "$ARCHIVE" -ref "$IMAGE" -user 65532:65532 "${adds[@]}"
log "$IMAGE, $(($(stat -c %s "$ARCHIVE") >> 20)) MiB, profile $PROFILE"
echo "$ARCHIVE"
