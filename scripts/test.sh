#!/usr/bin/env bash
# Runs all checks and tests, in an environment that is created if it does not exist.
#
#   bash scripts/test.sh [arguments for pytest]           all checks and all tests, with the coverage of the tests
#   bash scripts/test.sh --fast [arguments for pytest]    all checks, and the tests that are not slow
#   bash scripts/test.sh --checks                         all checks, no tests
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

tests=yes
coverage=(--cov=scimind --cov-report= --cov-skips-slow)
case "${1:-}" in
    --checks)
        tests=no
        shift
        ;;
    --fast) coverage=() ;; # tests/support/tiers.py defines this option of pytest
esac
use_environment || exit 1

failed=()
run() {
    local name="$1"
    shift
    say "$name: $*"
    "$@" || failed+=("$name")
}

checks() {
    run "style" ruff check .
    run "format" ruff format --check .
    run "types" mypy
    run "layers" lint-imports --no-cache # a cache would be one more folder in the tree
}

if [ $tests = no ]; then
    checks
else
    # The checks run next to the tests, which leave a core idle now and then; what they print is shown at the end.
    shown="$(mktemp -d)"
    trap 'rm -rf "$shown"' EXIT
    {
        checks
        printf '%s\n' "${failed[@]}" >"$shown/failed"
    } >"$shown/checks" 2>&1 &
    # A process for each core, and a file of tests in one process, since files share what they prepare. They begin in the
    # order of tests/conftest.py: pytest-xdist's own puts files of few tests last, and the longest are among them.
    run "tests" python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=20 \
        "${coverage[@]}" "$@"
    if [ ${#coverage[@]} -gt 0 ]; then
        # Without the slow tests, which would take longer, and without the processes that tests start.
        say "Coverage: $(python -m coverage report --format=total) % of the lines of scimind, by the tests that are not slow"
    fi
    wait $!
    cat "$shown/checks"
    while read -r name; do
        [ -z "$name" ] || failed+=("$name")
    done <"$shown/failed"
fi

if [ ${#failed[@]} -gt 0 ]; then
    say "Failed: ${failed[*]}"
    exit 1
fi
say "All checks passed"
