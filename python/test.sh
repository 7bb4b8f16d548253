#!/usr/bin/env bash
# Builds the Python package with one MPI in the virtual environment target/python/venv, and tests it:
# python/test.sh openmpi|mpich [pytest's options...]
set -uo pipefail
root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
cd -- "$root" || exit
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
kind=${1:?openmpi or mpich}
shift
venv=$root/target/python/venv
# Its own folder beside that of the library's tests, whose dependencies it shares.
maniple_setup "$kind" 2>/dev/null || exit
maniple_launch_settings 1000000
export VIRTUAL_ENV=$venv MANIPLE_REQUIRE_MPI=1 PYTHONDONTWRITEBYTECODE=1
# One Python module per MPI: a build replaces the one of the other.
"$venv/bin/maturin" develop --quiet --manifest-path python/Cargo.toml || exit
"$venv/bin/python" -m pytest --quiet -p no:cacheprovider python "$@"
