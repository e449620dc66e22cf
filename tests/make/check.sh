#!/usr/bin/env bash
# Runs checks, prints a table of them, and as the last line the same as one JSON object:
#   check.sh all       format, lints, licences, unit tests, chart, cluster tests: what CI runs
#   check.sh lint      format, lints, licences, chart, the benchmark's scripts
#   check.sh cluster   the cluster tests
#   check.sh report    how long start, stop, resume and scale take, and what an idle application writes
# The cluster tests run on TIDEMILL_TEST_KUBECONFIG (with TIDEMILL_TEST_KAFKA and TIDEMILL_TEST_KAFKA_FROM_PODS) if it is
# set, on the cluster of `make cluster-up` for the report if that is up, and otherwise on one made for them.
# TESTS names some of the cluster tests; KEEP=1 leaves their cluster up.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STORY_CLUSTER=$TIDEMILL_CACHE/run/test
export TIDEMILL_TEST_REPORT=$TIDEMILL_CACHE/run/report.json
CARGO_DENY=0.20.2

names=() results=() times=()

# step NAME COMMAND...: runs one check; a failure is kept for the end, so that one run shows all that is wrong.
step() {
  local name=$1 start=$EPOCHREALTIME result=ok
  shift
  log "--- $name"
  # A process of its own: errexit does not hold in a function that stands in a condition.
  "$ROOT/tests/make/check.sh" run "$@" </dev/null || result=FAILED
  names+=("$name") results+=("$result") times+=("$(since "$start")")
}

format() { cargo fmt --all --check; }
clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
unit_tests() { cargo test --locked --workspace --no-fail-fast; }

benchmark_scripts() {
  install_missing python3:python3
  python3 -m unittest discover -s tests/bench
}

licences() {
  if [ "$("$TOOLS/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
    # Without optimisation it builds in a third of the time and still answers within seconds.
    CARGO_TARGET_DIR=$TOOLS/target cargo install cargo-deny --version "$CARGO_DENY" --locked --debug --root "$TOOLS"
    rm -rf "$TOOLS/target"
  fi
  "$TOOLS/bin/cargo-deny" --locked --all-features check licenses bans sources
}

chart() {
  local bin
  bin=$(tests/cluster/build.sh)
  "$bin/helm" lint charts/tidemill --strict
  "$bin/helm" lint charts/tidemill --strict --set store.enabled=true
}

# story [FILTER...]: the cluster tests whose names hold one of the words, on the cluster that the environment names.
story() { cargo test --locked --workspace --test story -- --ignored --nocapture --test-threads 1 "$@"; }

# kafka_tests: the Kafka connector's own tests. The one that stops the broker would disturb the others.
kafka_tests() {
  TIDEMILL_KAFKA=$TIDEMILL_TEST_KAFKA cargo test --locked --workspace --test kafka -- --ignored --skip outage
}

# use_cluster DIR: points the tests at a cluster that cluster.sh made.
use_cluster() {
  export TIDEMILL_TEST_CLUSTER=$1 TIDEMILL_TEST_KUBECONFIG=$1/pki/kubeconfig
  TIDEMILL_TEST_KAFKA=$(cat "$1/kafka/bootstrap")
  export TIDEMILL_TEST_KAFKA TIDEMILL_TEST_KAFKA_FROM_PODS=$CP_IP:9092
}

cluster_tests() {
  if [ -n "${TIDEMILL_TEST_KUBECONFIG:-}" ]; then
    story "$@"
    return
  fi
  tests/make/cluster.sh down "$STORY_CLUSTER"
  WITH_TESTS=1 tests/make/cluster.sh start "$STORY_CLUSTER"
  use_cluster "$STORY_CLUSTER"
  local result=0
  [ $# -gt 0 ] || kafka_tests || result=$?
  story "$@" || result=$?
  if [ "$result" != 0 ]; then tests/make/cluster.sh diagnose "$STORY_CLUSTER"; fi
  [ -n "${KEEP:-}" ] || tests/make/cluster.sh down "$STORY_CLUSTER"
  return "$result"
}

report_tests() {
  if [ -z "${TIDEMILL_TEST_KUBECONFIG:-}" ] && [ -e "${CLUSTER:-none}/kafka/bootstrap" ]; then use_cluster "$CLUSTER"; fi
  cluster_tests figures
}

# figures: what the cluster tests measured, as `"name":value` pairs without the braces.
figures() { [ ! -s "$TIDEMILL_TEST_REPORT" ] || sed -e 's/^{//' -e 's/}$//' "$TIDEMILL_TEST_REPORT"; }

print_figures() { figures | tr ',' '\n' | sed 's/"//g' | awk -F: '{ printf "%-36s %10s\n", $1, $2 }'; }

print_steps() {
  local i
  for i in "${!names[@]}"; do printf '%-36s %-8s %10s\n' "${names[$i]}" "${results[$i]}" "${times[$i]}"; done
}

# summary: the tables, then the JSON object.
summary() {
  local i json='' failed=0
  for i in "${!names[@]}"; do
    [ "${results[$i]}" = ok ] || failed=$((failed + 1))
    json+="\"${names[$i]// /_}_s\":${times[$i]% s},"
  done
  echo
  print_steps
  print_figures
  json+="\"steps_ok\":$((${#names[@]} - failed)),\"steps_failed\":$failed"
  measured=$(figures)
  echo "{$json${measured:+,$measured}}"
  [ "$failed" = 0 ]
}

lint() {
  step "format" format
  step "clippy" clippy
  step "licences" licences
  step "chart" chart
  step "benchmark scripts" benchmark_scripts
}

run_steps() {
  need_rust
  mkdir -p "$(dirname "$TIDEMILL_TEST_REPORT")"
  rm -f "$TIDEMILL_TEST_REPORT"
  case $1 in
    all)
      lint
      step "unit tests" unit_tests
      step "cluster tests" cluster_tests
      ;;
    lint) lint ;;
    cluster) step "cluster tests" cluster_tests ${TESTS:-} ;;
    report) step "measure" report_tests ;;
    *) die "unknown checks: $1" ;;
  esac
  summary
}

if [ "${1:-}" = run ]; then "${@:2}"; else run_steps "${1:-all}"; fi
