#!/usr/bin/env bash
# Sets up, builds the pi example and runs it under MPI. Works from any directory.
set -uo pipefail
# shellcheck source=jobs/setup.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup.sh"

help() {
    cat <<'HELP'
Usage: jobs/pi.sh [-n RANKS] [--mpi openmpi|mpich] [pi's options...]

Installs or finds what is needed (see jobs/setup.sh --help), builds examples/pi and runs it.

  -n RANKS     how many ranks (default: 6, or the number of tasks of a Slurm job)
  --mpi KIND   which MPI: openmpi or mpich (default: the first found)
  --help       this text; for pi's own: jobs/pi.sh -- --help
HELP
}

ranks=${SLURM_NTASKS:-6} want=${MANIPLE_MPI:-} options=()
while (($#)); do
    case $1 in
        -n | --ranks) ranks=${2-} && shift $(($# > 1 ? 2 : 1)) ;;
        --mpi) want=${2-} && shift $(($# > 1 ? 2 : 1)) ;;
        --mpi=*) want=${1#*=} && shift ;;
        -h | --help) help && exit ;;
        --) shift && options+=("$@") && break ;;
        *) options+=("$1") && shift ;;
    esac
done
if ! [[ $ranks =~ ^[1-9][0-9]{0,5}$ ]]; then
    printf 'pi.sh: -n wants a number of ranks (see --help)\n' >&2
    exit 2
fi

maniple_setup "$want" || exit
maniple_run cargo build --release --example pi --manifest-path "$maniple_root/Cargo.toml" || exit
maniple_launch_settings "$ranks"
read -ra launcher <<<"$MANIPLE_MPIRUN"
maniple_run "${launcher[@]}" -n "$ranks" "$CARGO_TARGET_DIR/release/examples/pi" ${options[@]+"${options[@]}"}
