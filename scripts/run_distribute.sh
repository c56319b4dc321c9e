#!/usr/bin/env bash
# Finetunes, trains or evaluates with several workers, on one server or several, through MindSpore's msrun.
#
#   bash scripts/run_distribute.sh RANK_TABLE|msrun CONFIG [0,8] finetune [option of run_scimind.py …]
#   bash scripts/run_distribute.sh --config CONFIG --workers 8 [--run_mode finetune] [option of run_scimind.py …]
#
# --help shows the options. The exit status is that of the job. The Python is $SCIMIND_PYTHON, that of the environment
# made by scripts/quickstart.sh, or python3 on the PATH.
set -euo pipefail
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

for candidate in "${SCIMIND_PYTHON:-}" "${SCIMIND_VENV:-$repository/.venv}/bin/python" "${VIRTUAL_ENV:-}/bin/python" python3; do
    if python="$(command -v -- "$candidate" 2>/dev/null)" && "$python" -c 'import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in ("mindspore", "psutil", "yaml")))' 2>/dev/null; then
        # exec, so that Ctrl-C and kill reach the program itself.
        export SCIMIND_LAUNCHER="${BASH_SOURCE[0]}"
        PYTHONPATH="$repository${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m scimind.launch "$@"
    fi
done
echo "run_distribute.sh: error: no Python with MindSpore was found; run scripts/quickstart.sh, or set SCIMIND_PYTHON" >&2
exit 2
