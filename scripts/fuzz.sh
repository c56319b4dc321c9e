#!/usr/bin/env bash
# Gives damaged files and command lines to SciMind for MINUTES, with random seeds; exits with 1 if one of them ends in
# anything but a result or one line of error. Prints how many each reader got, and the folder of the failing ones.
#
#   bash scripts/fuzz.sh MINUTES [--only READER …]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

minutes="${1:?how many minutes, such as: bash scripts/fuzz.sh 15}"
shift
use_environment
exec python -m tests.hostile --minutes "$minutes" "$@"
