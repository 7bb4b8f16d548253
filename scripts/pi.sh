#!/usr/bin/env bash
# Sets up, builds the pi example and runs it under MPI. Works from any directory.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup.sh"

help() {
    cat <<'HELP'
Usage: scripts/pi.sh [-n RANKS] [--mpi openmpi|mpich] [pi's options...]

Installs or finds what is needed (see scripts/setup.sh --help), builds examples/pi and runs it.

  -n RANKS     how many ranks (default: 6, or the number of tasks of a Slurm job)
  --mpi KIND   which MPI: openmpi or mpich (default: the first found)
  --help       this text; for pi's own: scripts/pi.sh -- --help
HELP
}

ranks=${SLURM_NTASKS:-6} want=${MANIPLE_MPI:-}
maniple_read_options "$@"

maniple_setup "$want" || exit
# What pi needs: arrays take most of the time of a build.
maniple_run cargo build --release --manifest-path "$maniple_root/Cargo.toml" --package maniple-examples --example pi \
    --no-default-features --features dashboard,mpi,opencl || exit
maniple_launch_settings "$ranks"
read -ra launcher <<<"$MANIPLE_MPIRUN"
maniple_run "${launcher[@]}" -n "$ranks" "$CARGO_TARGET_DIR/release/examples/pi" ${rest[@]+"${rest[@]}"}
