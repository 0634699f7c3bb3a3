#!/usr/bin/env bash
# Measures clusters: all workloads, one and two workers, tasks at home and away. Prints one line of
# JSON a run, and on the standard error which run it is.
#
#   examples/bench/cluster.sh [pulsar+postgres|pulsar+mysql|pulsar+redis]...
#
# The servers run already, and the environment says where (none of them needs to be empty):
#
#   scripts/servers start all --recommended --data DIR --port 0
#   eval "$(scripts/servers env all --data DIR)"
#
# Without `--recommended` the broker has its stock settings: measure both, in a DIR of their own.
# QUICK=1 runs a tenth of it. Look at `others_cores` of each line before you believe its times.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo build --release --features cluster --example bench
bench="${CARGO_TARGET_DIR:-target}/release/examples/bench"

run() {
    printf 'bench %s\n' "$*" >&2
    "$bench" "$@" || printf 'failed: bench %s\n' "$*" >&2
}

# A number of workflows or steps.
many() { printf '%d' "$(($1 / (${QUICK:+9 +} 1)))"; }

for backend in "${@:-pulsar+postgres}"; do
    at=(--backend "$backend")
    run w2 "${at[@]}" --count "$(many 50000)" --in-flight 200
    run w2 "${at[@]}" --count "$(many 50000)" --in-flight 200 --workers 2
    run w2 "${at[@]}" --count "$(many 20000)" --in-flight 200 --tasks-away
    run w2 "${at[@]}" --count "$(many 20000)" --in-flight 200 --tasks-away --workers 2
    run w2 "${at[@]}" --count "$(many 2000)" --in-flight 1
    run w2 "${at[@]}" --count "$(many 2000)" --in-flight 1 --tasks-away
    run f "${at[@]}" --count "$(many 20)"
    run s "${at[@]}" --count 10 --steps 100
    run s "${at[@]}" --steps "$(many 1000)"
    run s "${at[@]}" --steps "$(many 10000)"
    run t "${at[@]}" --count "$(many 1000)"
    run t "${at[@]}" --count "$(many 10000)"
    run r "${at[@]}" --count "$(many 100000)"
done
