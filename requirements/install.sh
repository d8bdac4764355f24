#!/bin/sh
# Bring .venv up to what the locks ask for: `install.sh runtime` or `install.sh development`.
# Costs a few milliseconds when nothing changed. uv installs; pip does the same where uv cannot.
set -eu
cd "$(dirname "$0")/.."
want=${1:-runtime}
say() { printf '%s\n' "$*" >&2; }

usable() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if usable "$candidate"; then printf '%s\n' "$candidate"; return; fi
    done
    say "Aegis needs Python 3.11 or newer, and found none (python3 is $(python3 -V 2>/dev/null || echo missing))."
    say "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3.12"
    exit 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "Installing python3-venv ..."
            { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } >/dev/null
        else
            say "$python cannot make virtual environments. Install the missing part (Debian, Ubuntu: apt-get install python3-venv), then try again."
            exit 1
        fi
    fi
    say "Making .venv with $("$python" -V) ..."
    rm -rf .venv
    "$python" -m venv .venv
}

fingerprint() {
    { pwd -P; cat pyproject.toml requirements/*.txt; } | cksum
}

stamped() { [ -f ".venv/.$1" ] && [ "$(cat ".venv/.$1")" = "$(fingerprint)" ]; }

pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

with_uv() {
    [ -z "${AEGIS_SETUP_WITH_PIP:-}" ] || return 1
    [ -x .venv/bin/uv ] && .venv/bin/uv --version | grep -q "$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements/tools.txt)" ||
        pip install -q --only-binary :all: --require-hashes -r requirements/tools.txt || return 1
    # The system's certificates, as pip takes them: a company may have its own.
    VIRTUAL_ENV=$PWD/.venv UV_SYSTEM_CERTS=true .venv/bin/uv pip install -q --compile-bytecode --require-hashes -r requirements/build.txt -r "$lock" || return 1
}

with_pip() { pip install -q --require-hashes -r requirements/build.txt -r "$lock"; }

if stamped development || stamped "$want"; then exit 0; fi
if command -v flock >/dev/null 2>&1 && [ -z "${AEGIS_SETUP_LOCKED:-}" ]; then
    AEGIS_SETUP_LOCKED=1 exec flock requirements/install.sh sh requirements/install.sh "$want"
fi
# A folder that was moved or whose Python went away cannot be repaired, only made anew.
if ! usable .venv/bin/python || ! grep -qsF "$(pwd -P)/.venv" .venv/bin/activate; then make_venv; fi
lock=requirements/$want.txt
say "Installing requirements/$want.txt ..."
if ! with_uv; then
    say "uv is not usable here: installing with pip, which takes longer."
    with_pip
fi
pip install -q --no-index --no-build-isolation --no-deps --editable .
fingerprint >".venv/.$want"
