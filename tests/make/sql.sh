#!/usr/bin/env bash
# The SQL cases of tests/sql, random queries beside a batch engine (FUZZ_RUNS= of them, from FUZZ_SEED=) and, where NEXMARK_GIT (a git directory) or QUERIES (a folder) gives the published Nexmark
# texts, their results beside those of real Flink (RUN=q0,cep-q1 chooses). The last line is one JSON object of both.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need_rust
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

cases() { FUZZ_RUNS=${FUZZ_RUNS:-10000} cargo test --locked --workspace --test sql -- --nocapture; }

nexmark() {
  cargo build --locked --workspace --bin tidemill --bin bench-load-nexmark --bin bench-dump >&2
  BENCH_TOOLS=$(dirname "$(PROFILE=dev built tidemill)") TRACK=none tests/bench/nexmark.sh
}

failed=0
cases | tee "$said/cases" || failed=1
echo '{"nexmark_equal": null, "cep_equal": null}' >"$said/nexmark"
if [ -n "${NEXMARK_GIT:-}${QUERIES:-}" ]; then
  nexmark | tee "$said/nexmark" || failed=1
fi
python3 - "$said/cases" "$said/nexmark" <<'MERGE'
import json, sys
line = {}
for path in sys.argv[1:]:
    with open(path) as file:
        objects = [text for text in file if text.startswith("{")]
    line |= json.loads(objects[-1]) if objects else {}
print(json.dumps(line))
MERGE
exit "$failed"
