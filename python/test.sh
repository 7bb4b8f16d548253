#!/usr/bin/env bash
# Builds the Python package with one MPI, or with none, in the virtual environment target/python/venv, and tests it:
# python/test.sh openmpi|mpich|none [pytest's options...]
set -uo pipefail
root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
cd -- "$root" || exit
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
kind=${1:?openmpi, mpich or none}
shift
venv=$root/target/python/venv
export VIRTUAL_ENV=$venv PYTHONDONTWRITEBYTECODE=1
features=()
# Its own folder beside that of the library's tests, whose dependencies it shares.
if [[ $kind == none ]]; then
    features=(--no-default-features)
    export CARGO_TARGET_DIR=$root/target/none
else
    maniple_setup "$kind" 2>/dev/null || exit
    maniple_launch_settings 1000000
    export MANIPLE_REQUIRE_MPI=1
fi
# HDF5 where its library is installed.
pkg-config --exists hdf5 2>/dev/null && features+=(--features hdf5)
# One Python module per MPI: a build replaces the one of the other.
"$venv/bin/maturin" develop --quiet --manifest-path python/Cargo.toml "${features[@]}" || exit
"$venv/bin/python" -m pytest --quiet -p no:cacheprovider python "$@"
