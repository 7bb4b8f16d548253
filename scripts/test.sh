#!/usr/bin/env bash
# Sets up and runs the tests: without MPI, then with one MPI or with both. The tests under tests/
# start themselves again under the launcher named by MANIPLE_MPIRUN, with 1, 2, 3, 4 and 6 ranks.
set -uo pipefail
# shellcheck source=scripts/setup.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup.sh"

help() {
    cat <<'HELP'
Usage: scripts/test.sh [--mpi openmpi|mpich | --all] [-- cargo test's options...]

Installs or finds what is needed (see scripts/setup.sh --help), then runs the tests without MPI and
with it. The last line is their sum: 'N passed, N failed'.

  --mpi KIND   which MPI: openmpi or mpich (default: the first found)
  --all        with Open MPI, and what starts ranks with MPICH, too
  --help       this text
HELP
}

kinds=("${MANIPLE_MPI:-}") options=()
while (($#)); do
    case $1 in
        --mpi) kinds=("${2-}") && shift $(($# > 1 ? 2 : 1)) ;;
        --mpi=*) kinds=("${1#*=}") && shift ;;
        --all) kinds=(openmpi mpich) && shift ;;
        -h | --help) help && exit ;;
        --) shift && options+=("$@") && break ;;
        *) printf 'test.sh: unknown option %q (see --help)\n' "$1" >&2 && exit 2 ;;
    esac
done

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

# Runs cargo test, and notes how many tests passed and failed.
run_tests() {
    local status
    maniple_run cargo test --no-fail-fast --manifest-path "$maniple_root/Cargo.toml" "$@" \
        ${options[@]+"${options[@]}"} 2>&1 </dev/null | tee "$scratch/log"
    status=${PIPESTATUS[0]}
    # A build that fails, or a test program that dies, prints nothing that could be counted.
    awk -v status="$status" '
        /^test result:/ {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^failed/) failed += $(i - 1)
            }
        }
        END { print passed + 0, (status && !failed) ? 1 : failed + 0 }' "$scratch/log" >>"$scratch/counts"
    # Why tests failed is lost among thousands of lines, so it is said again at the end.
    awk '/^failures:$/ { inside = 1 }
        /^test result:/ { inside = 0 }
        /^stack backtrace:$/ { stack = 1 }
        inside && !stack
        !/^(stack backtrace:$| )/ { stack = 0 }' "$scratch/log" >>"$scratch/failures"
}

# All set-up comes first, so that what is missing is said before any waiting. Each is made in a
# shell of its own: what one MPI needs must not reach the other.
for kind in "${kinds[@]}"; do
    (maniple_setup "$kind") || exit
done

maniple_say 'tests without MPI'
(
    maniple_find_rust && CARGO_TARGET_DIR=$(maniple_target_dir) && export CARGO_TARGET_DIR PATH || exit
    features=dashboard,fourier,opencl,zarr
    # What is linked with a library of the site is tested where that is installed.
    pkg-config --exists hdf5 2>/dev/null && features+=,hdf5
    run_tests --no-default-features --features "$features"
)
# What starts no ranks is the same with any MPI.
with_ranks=(--test launched --test command) is_first=1
for kind in "${kinds[@]}"; do
    (
        maniple_setup "$kind" 2>/dev/null || exit
        maniple_say "tests with $maniple_kind $maniple_version"
        # More ranks than any machine has cores.
        maniple_launch_settings 1000000
        export MANIPLE_REQUIRE_MPI=1
        if ((${#options[@]})); then
            run_tests
        elif ((is_first)); then
            run_tests --lib "${with_ranks[@]}"
            run_tests --doc
        else
            run_tests "${with_ranks[@]}"
        fi
    )
    is_first=0
done

cat "$scratch/failures"
read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$scratch/counts")
printf '\n%s passed, %s failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
