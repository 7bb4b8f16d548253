#!/usr/bin/env bash
# Builds the benchmarks and prints their figures beside their floors. Works from any directory.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup.sh"

help() {
    cat <<'HELP'
Usage: scripts/bench.sh [-n RANKS] [--mpi openmpi|mpich] [parts of benches/tasks.rs...]

Prints what a task costs: raw MPI, then Maniple under MPI, in one process, and the scheduler alone; last
what arrays take.

  -n RANKS     how many ranks (default: 4)
  --mpi KIND   which MPI: openmpi or mpich (default: the first found)

With MANIPLE_DASK=PYTHON, an interpreter that has dask-mpi, Dask's figures follow.
HELP
}

ranks=4 want=${MANIPLE_MPI:-}
maniple_read_options "$@"

# The newest program that cargo built of a benchmark.
program_of() {
    cargo bench --no-run --message-format=json --bench "$1" --manifest-path "$maniple_root/Cargo.toml" 2>/dev/null |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

maniple_setup "$want" || exit
maniple_run cargo bench --no-run --benches --manifest-path "$maniple_root/Cargo.toml" || exit
tasks=$(program_of tasks) transport=$(program_of transport) scheduler=$(program_of scheduler) arrays=$(program_of arrays)
maniple_launch_settings "$ranks"
read -ra launcher <<<"$MANIPLE_MPIRUN"
maniple_run "${launcher[@]}" -n "$ranks" "$tasks" floor
maniple_run "${launcher[@]}" -n "$ranks" "$tasks" ${rest[@]+"${rest[@]}"} || exit
maniple_run "$tasks" ${rest[@]+"${rest[@]}"} || exit
((${#rest[@]})) && exit
maniple_run "${launcher[@]}" -n 2 "$transport" || exit
maniple_run "$scheduler" || exit
maniple_run "${launcher[@]}" -n "$ranks" "$arrays" || exit
if [[ -n ${MANIPLE_DASK-} ]]; then
    maniple_run "${launcher[@]}" -n "$ranks" "$MANIPLE_DASK" "$maniple_root/benches/dask_tasks.py"
    maniple_run "${launcher[@]}" -n "$ranks" "$MANIPLE_DASK" "$maniple_root/python/benches/arrays.py" --dask
fi
