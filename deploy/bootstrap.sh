#!/bin/sh
# Prepares .venv from requirements.lock, every hash checked, and installs the checkout into it.
#
#   sh deploy/bootstrap.sh                 prepare; does nothing when all is as it should be
#   sh deploy/bootstrap.sh --find-python   print the Python that would be used
#
# With uv where it is there, else with venv and pip. PYTHON=/path chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.prepared

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 13))' >/dev/null 2>&1
}

# Prints the real path of a Python >= 3.13. A pyenv shim may be on PATH and yet fail, so each
# candidate is run; then the places where interpreters lie without being on PATH.
find_python() {
  for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3 python python3.14 \
    "${PYENV_ROOT:-${HOME:-/root}/.pyenv}"/versions/3.1[3-9]*/bin/python3 \
    "${HOME:-/root}"/.local/share/uv/python/cpython-3.1[3-9]*/bin/python3 \
    "${HOME:-/root}"/.local/bin/python3.13 \
    /usr/bin/python3.13 /usr/local/bin/python3.13 \
    /opt/homebrew/opt/python@3.13/bin/python3.13 /usr/local/opt/python@3.13/bin/python3.13 \
    /Library/Frameworks/Python.framework/Versions/3.13/bin/python3.13; do
    if is_new_enough "$candidate"; then
      "$candidate" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'
      return 0
    fi
  done
  return 1
}

fail() {
  printf '%s\n' "topicdesk: $*" >&2
  exit 1
}

find_uv() {
  candidate=${UV:-uv}
  "$candidate" --version >/dev/null 2>&1 && printf '%s\n' "$candidate"
}

missing_python() {
  found=$(python3 --version 2>/dev/null || echo "no Python at all")
  fail "Python 3.13 or newer is needed, here is $found: install python3.13, or uv (which brings one)."
}

make_venv() {
  if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
    fail "$venv exists and is no virtual environment: move it away."
  fi
  rm -rf "$venv"
  python=$(find_python) || python=
  if [ -n "$uv" ]; then
    "$uv" venv --quiet --python "${python:-3.13}" "$venv" && return 0
    [ -n "$python" ] || missing_python
  fi
  [ -n "$python" ] || missing_python
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    fail "$python has no venv module: install it (Debian: apt-get install python3-venv)."
  fi
  "$python" -m venv "$venv"
}

install_with_uv() {
  "$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes requirements.lock &&
    "$uv" pip install --quiet --python "$venv/bin/python" --offline \
      --no-deps --no-build-isolation --editable .
}

install_with_pip() {
  pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"
  $pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
  $pip install --no-input --require-hashes --requirement requirements.lock &&
    $pip install --no-input --no-index --no-deps --no-build-isolation --editable .
}

if [ "${1:-}" = --find-python ]; then
  find_python || missing_python
  exit 0
fi

# What .venv was prepared from, and where: a moved checkout has scripts that point elsewhere.
wanted="$(cat requirements.lock pyproject.toml deploy/bootstrap.sh | cksum) $(pwd -P)"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && is_new_enough "$venv/bin/python"; then
  exit 0
fi

uv=$(find_uv) || uv=
case "$(cat "$stamp" 2>/dev/null || true)" in
  *" $(pwd -P)" | "") is_new_enough "$venv/bin/python" || make_venv ;;
  *) make_venv ;;
esac
rm -f "$stamp"
if [ -n "$uv" ]; then with=uv; else with=pip; fi
echo "Installing the locked packages into $venv with $with ..."
if [ -z "$uv" ] || ! install_with_uv; then
  if [ -n "$uv" ]; then
    echo "uv could not install them; trying pip."
  fi
  install_with_pip || fail "the packages could not be installed; the reason stands above."
fi
printf '%s\n' "$wanted" >"$stamp"
