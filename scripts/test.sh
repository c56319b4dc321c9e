#!/usr/bin/env bash
# Runs all checks and tests, in an environment that is made if it is not there.
#
#   bash scripts/test.sh [arguments for pytest]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
use_environment || exit 1

failed=()
run() {
    local name="$1"
    shift
    say "$name: $*"
    "$@" || failed+=("$name")
}

run "style" ruff check .
run "format" ruff format --check .
run "types" mypy
run "layers" lint-imports --no-cache # a cache would be one more folder in the tree
# A process for each core, and a file of tests in one process, since files share what they prepare. They begin in the
# order of tests/conftest.py: pytest-xdist's own puts files of few tests last, and the longest are among them.
run "tests" python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=20 "$@"

if [ ${#failed[@]} -gt 0 ]; then
    say "Failed: ${failed[*]}"
    exit 1
fi
say "All checks passed"
