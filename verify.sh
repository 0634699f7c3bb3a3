#!/usr/bin/env bash
# What the gate runs, for people: `./verify.sh`, or some of its steps: `./verify.sh fmt clippy`.
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/.ci/run" "$@"
