# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that read this
# Shared by the scripts behind the Makefile's targets.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$ROOT/tests/cluster/lib.sh"
export TIDEMILL_CACHE=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$TIDEMILL_CACHE/target}
PROFILE=${PROFILE:-dev}
IMAGE=localhost/tidemill:${TAG:-dev}
ARCHIVE=$TIDEMILL_CACHE/images/tidemill-${TAG:-dev}.tar
TOOLS=$TIDEMILL_CACHE/tools
PATH=$PATH:$HOME/.cargo/bin:/usr/local/go/bin
cd "$ROOT"

# need_rust: what the workspace needs to compile. rustup fetches the toolchain that rust-toolchain.toml names.
need_rust() {
  install_missing gcc:gcc g++:g++ make:make pkg-config:pkg-config libc6-dev:-
  command -v cargo >/dev/null || die "needs Rust: https://rustup.rs says how; rustup then fetches the version that this project names"
}

# built NAME: where cargo puts the program of that name for PROFILE.
built() {
  local host folder=$PROFILE
  host=$(rustc -vV | sed -n 's/^host: //p')
  [ "$PROFILE" != dev ] || folder=debug
  echo "$CARGO_TARGET_DIR/$host/$folder/$1"
}
