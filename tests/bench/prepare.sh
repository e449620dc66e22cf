# What both benchmarks need first; sourced. Sets where things are, installs and builds what is missing, and starts nothing.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
export TIDEMILL_CACHE=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$TIDEMILL_CACHE/target}
export BENCH_DIR=${BENCH_DIR:-$TIDEMILL_CACHE/bench}
FLINK_VERSION=${FLINK_VERSION:-2.3.0}

install_missing() {
  local missing=()
  command -v javac >/dev/null || missing+=(openjdk-17-jdk-headless)
  command -v mvn >/dev/null || missing+=(maven)
  command -v curl >/dev/null || missing+=(curl)
  python3 -m venv --help >/dev/null 2>&1 || missing+=(python3-venv)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}" >&2
  $([ "$(id -u)" = 0 ] || echo sudo) apt-get install -y --no-install-recommends "${missing[@]}" >&2
}

build() { # BENCH_TOOLS names a folder with the programs already built
  [ -z "${BENCH_TOOLS:-}" ] || return 0
  local packages=(-p tidemill-bench)
  [[ ${ENGINES:-flink,tidemill} != *tidemill* ]] || packages+=(-p tidemill)
  (cd "$ROOT" && cargo build --release "${packages[@]}" >&2)
  local host; host=$(rustc -vV | sed -n 's/^host: //p')
  export BENCH_TOOLS=$CARGO_TARGET_DIR/$host/release
}

fetch() {
  "$HERE/../rival/kafka_up.sh" fetch
  "$HERE/../rival/flink_up.sh" fetch
}
