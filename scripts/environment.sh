# Sourced by the other scripts: finds a Python, makes or reuses a virtual environment, installs SciMind into it.
#
# After `use_environment`, the environment is active: python, scimind and the tools are those inside it.
# SCIMIND_VENV   folder of the environment (default: .venv in the repository)
# SCIMIND_PYTHON the Python to make it with (default: the first of python3.11, 3.12, 3.10, python3 that fits)

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ENVIRONMENT="${SCIMIND_VENV:-$REPOSITORY/.venv}"
EXTRAS="dev,evaluate"
STAMP="$ENVIRONMENT/.scimind-stamp"

say() {
    printf '\n== %s\n' "$*"
}

# Whether a command is a Python that supports SciMind and can create environments. It is run, because a name on the PATH
# may be a shim for a Python that is not installed.
_fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${SCIMIND_PYTHON:-python3.11 python3.12 python3.10 python3}; do
        if _fits "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "No Python 3.10, 3.11 or 3.12 with the venv module was found." >&2
    echo "Install one (on Debian: apt-get install python3 python3-venv) or set SCIMIND_PYTHON to its path." >&2
    return 1
}

# What an environment depends on: the dependencies, the Python version, the location of the sources.
_expected_stamp() {
    "$1" - "$REPOSITORY" "$EXTRAS" <<'PYTHON'
import hashlib, pathlib, sys
root, extras = sys.argv[1:]
digest = hashlib.sha256(pathlib.Path(root, "pyproject.toml").read_bytes()).hexdigest()
print(digest, "%d.%d" % sys.version_info[:2], extras, root)
PYTHON
}

use_environment() {
    local python stamp
    if [ -z "${SCIMIND_PYTHON:-}" ] && [ -f "$STAMP" ] && _fits "$ENVIRONMENT/bin/python"; then
        python="$ENVIRONMENT/bin/python" # an existing one, made by a Python that may no longer be on the PATH
    else
        python="$(find_python)" || return 1
    fi
    stamp="$(_expected_stamp "$python")"
    if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$stamp" ] && _fits "$ENVIRONMENT/bin/python"; then
        say "Environment: reusing $ENVIRONMENT, which is up to date"
    else
        _install "$python" || return 1
        printf '%s\n' "$stamp" >"$STAMP"
    fi
    # shellcheck disable=SC1091
    source "$ENVIRONMENT/bin/activate"
}

_install() {
    local python="$1"
    if [ -e "$ENVIRONMENT" ] && [ ! -f "$ENVIRONMENT/pyvenv.cfg" ] && [ -n "$(ls -A "$ENVIRONMENT")" ]; then
        echo "$ENVIRONMENT is neither empty nor a virtual environment; set SCIMIND_VENV to another folder." >&2
        return 1
    fi
    rm -f "$STAMP"
    say "Environment: $ENVIRONMENT, with $("$python" --version); this takes about 3.5 GB and a few minutes the first time"
    if ! _fits "$ENVIRONMENT/bin/python" || [ "$(_version "$ENVIRONMENT/bin/python")" != "$(_version "$python")" ]; then
        "$python" -m venv --clear "$ENVIRONMENT" || return 1
    fi
    # Python compiles a module when it is first imported: most of the 16,000 in this environment never are.
    "$ENVIRONMENT/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --editable "$REPOSITORY[$EXTRAS]" || {
        echo "pip could not install SciMind; see its message above." >&2
        return 1
    }
}

_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}
