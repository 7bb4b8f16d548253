#!/usr/bin/env bash
# Finds what Maniple is built and run with: Rust, a C compiler, libclang, an MPI and its launcher.
#
# The other scripts source this file and call `maniple_setup`. Run by itself it prints the same
# settings as `export` lines, for a shell in which plain cargo is then used:
#
#     eval "$(scripts/setup.sh --mpi mpich)"
#
# It does not build anything. Messages go to standard error, settings to standard output.

maniple_root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")

# Where an MPI may be that is on no PATH: Fedora, RHEL and openSUSE keep theirs behind a module.
maniple_mpi_dirs=${MANIPLE_MPI_DIRS-/usr/lib64/openmpi /usr/lib64/mpich /usr/lib/openmpi \
/usr/lib/mpich /usr/lib64/mpi/gcc/openmpi4 /usr/lib64/mpi/gcc/openmpi5 /usr/lib64/mpi/gcc/mpich}

maniple_setup_help() {
    cat <<'HELP'
Usage: scripts/setup.sh [--mpi openmpi|mpich]

Finds Rust, a C compiler, libclang and an MPI, installs with apt-get or dnf what is missing
(as root or with passwordless sudo; otherwise says what to do), and prints the settings to build
with as export lines:  eval "$(scripts/setup.sh)"

  --mpi KIND   which MPI: openmpi or mpich; without it the first found, else Open MPI is installed
  --help       this text

Environment:
  MPICC                the MPI compiler to use, before any other
  MANIPLE_MPI          as --mpi
  MANIPLE_MPIRUN       the launcher to use (default: the one that belongs to MPICC)
  MANIPLE_MPI_DIRS     installations to look into that are on no PATH, separated by spaces
  MANIPLE_NO_INSTALL   1: install nothing, only say what is missing
  CARGO_TARGET_DIR     holds one folder an MPI (default: target/openmpi, target/mpich)
HELP
}

maniple_say() { printf 'maniple: %s\n' "$*" >&2; }

# Reads what a script that starts ranks was given, which has a function `help`: sets `ranks`, if it is named, `want`, the
# MPI, and `rest`, all else.
maniple_read_options() {
    rest=()
    while (($#)); do
        case $1 in
            -n | --ranks) ranks=${2-} && shift $(($# > 1 ? 2 : 1)) ;;
            --mpi) want=${2-} && shift $(($# > 1 ? 2 : 1)) ;;
            --mpi=*) want=${1#*=} && shift ;;
            -h | --help) help && exit ;;
            --) shift && rest+=("$@") && break ;;
            *) rest+=("$1") && shift ;;
        esac
    done
    if ! [[ $ranks =~ ^[1-9][0-9]{0,5}$ ]]; then
        printf '%s: -n wants a number of ranks (see --help)\n' "${0##*/}" >&2
        exit 2
    fi
}

# Prints a command as it could be typed here, then runs it.
maniple_run() {
    local word line=
    for word in "$@"; do
        # A path below the current directory is shown the short way.
        word=${word#"$PWD"/}
        # A program that the PATH would find is shown by its name.
        [[ -z $line && $word == /* && $(command -v -- "${word##*/}") == "$word" ]] && word=${word##*/}
        [[ $word == *[!A-Za-z0-9_@%+=:,./-]* || -z $word ]] && printf -v word %q "$word"
        line+=" $word"
    done
    printf '+%s\n' "$line" >&2
    "$@"
}

# Says which family an MPI compiler belongs to, and its version; fails if it compiles nothing.
maniple_mpi_kind() {
    local text
    # Other MPIs than these two (Intel, Cray, MVAPICH) are MPICH inside.
    text=$("$1" -E -x c - 2>/dev/null <<'C'
#include <mpi.h>
#ifdef OPEN_MPI
maniple_kind openmpi OMPI_MAJOR_VERSION OMPI_MINOR_VERSION OMPI_RELEASE_VERSION
#else
maniple_kind mpich MPICH_VERSION
#endif
C
    ) || return 1
    text=$(sed -n 's/^maniple_kind //p' <<<"$text" | tr -d '"')
    [[ -n $text ]] && printf '%s\n' "$text"
}

# Finds an MPI compiler of the wanted kind (any kind if empty); sets MPICC, maniple_kind and
# maniple_version.
maniple_find_mpicc() {
    local want=$1 candidate path text dir
    local candidates=("${MPICC:-}" mpicc "mpicc.${want:-openmpi}" "mpicc.${want:-mpich}")
    for dir in "${MPI_HOME:-}" "${MPI_ROOT:-}" "${EBROOTOPENMPI:-}" "${I_MPI_ROOT:-}" \
        "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}" $maniple_mpi_dirs; do
        [[ -n $dir ]] && candidates+=("$dir/bin/mpicc")
    done
    # On a Cray the ordinary compiler wrapper is the MPI compiler.
    [[ -n ${CRAY_MPICH_DIR:-} ]] && candidates+=(cc)
    for candidate in "${candidates[@]}"; do
        [[ -n $candidate ]] || continue
        if ! path=$(type -P -- "$candidate") || ! text=$(maniple_mpi_kind "$path"); then
            [[ $candidate == "${MPICC:-}" ]] && maniple_say "MPICC=$MPICC compiles nothing with mpi.h; looking further"
            continue
        fi
        [[ -z $want || $text == "$want "* ]] || continue
        MPICC=$path maniple_kind=${text%% *} maniple_version=${text#* }
        [[ $maniple_kind == openmpi ]] && maniple_version=${maniple_version// /.}
        return 0
    done
    return 1
}

# Finds the launcher that belongs to MPICC; sets MANIPLE_MPIRUN. The launcher of another MPI would
# start N programs that each believe to be alone, so its own word is asked for.
maniple_find_launcher() {
    local dir=${MPICC%/*} name candidate path version
    # One with options, as "srun --mpi=pmix", is the user's own business.
    [[ ${MANIPLE_MPIRUN:-} == *' -'* ]] && return 0
    local candidates=("${MANIPLE_MPIRUN:-}" "$dir/mpirun" "$dir/mpiexec" "$dir/mpirun.$maniple_kind" \
        "$dir/mpiexec.$maniple_kind" "$dir/mpiexec.hydra")
    for name in mpirun mpiexec "mpirun.$maniple_kind" "mpiexec.$maniple_kind" mpiexec.hydra; do
        candidates+=("$name")
    done
    for candidate in "${candidates[@]}"; do
        path=$(type -P -- "$candidate") || continue
        # A launcher that someone chose is doubted only if it belongs to the other MPI.
        version=$("$path" --version 2>/dev/null </dev/null) || continue
        case $maniple_kind:$version in
            openmpi:*"Open MPI"* | openmpi:*OpenRTE* | openmpi:*PRRTE*) ;;
            mpich:*HYDRA* | mpich:*Hydra* | mpich:*MPICH* | mpich:*Intel*) ;;
            *:*"Open MPI"* | *:*OpenRTE* | *:*PRRTE* | *:*HYDRA* | *:*MPICH*) continue ;;
            *) [[ $candidate == "${MANIPLE_MPIRUN:-}" ]] || continue ;;
        esac
        MANIPLE_MPIRUN=$path
        return 0
    done
    # Sites without either start jobs by Slurm alone.
    MANIPLE_MPIRUN=$(type -P srun)
}

# Finds the libclang that bindgen loads; sets LIBCLANG_PATH only where bindgen would not look.
maniple_find_libclang() {
    local dir found dirs=()
    [[ -n ${LIBCLANG_PATH:-} && -e $LIBCLANG_PATH ]] && return 0
    for found in /usr/lib/*-linux-gnu/libclang[-.]*so* /usr/lib/llvm*/lib*/libclang[-.]*so* \
        /usr/lib64/libclang[-.]*so* /usr/lib64/llvm*/lib*/libclang[-.]*so* \
        /usr/lib/libclang[-.]*so* /usr/local/lib*/libclang[-.]*so*; do
        [[ $found != *-cpp* && -e $found ]] && return 0
    done
    IFS=: read -ra dirs <<<"${LD_LIBRARY_PATH:-}"
    dirs+=("${VIRTUAL_ENV:+$VIRTUAL_ENV/lib}" "${CONDA_PREFIX:+$CONDA_PREFIX/lib}")
    type -P llvm-config >/dev/null && dirs+=("$(llvm-config --libdir 2>/dev/null)")
    for dir in "${dirs[@]}"; do
        [[ -n $dir ]] || continue
        for found in "$dir"/libclang[-.]*so* "$dir"/python3*/site-packages/clang/native/libclang.so; do
            [[ $found != *-cpp* && -e $found ]] || continue
            export LIBCLANG_PATH=${found%/*}
            return 0
        done
    done
    return 1
}

# A compiler without the C library's files links nothing.
maniple_find_cc() {
    type -P cc >/dev/null && [[ $(cc -print-file-name=crt1.o 2>/dev/null) == /* || $(uname) != Linux ]]
}

# Is version $1 at least version $2?
maniple_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

maniple_find_rust() {
    local need have=
    need=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$maniple_root/Cargo.toml")
    type -P cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    # From the root of the project, where a toolchain file would count.
    have=$(cd -- "$maniple_root" && cargo --version 2>/dev/null | cut -d ' ' -f 2)
    [[ -n $have ]] && maniple_at_least "$have" "$need" && return 0
    maniple_say "Rust $need or newer is needed; ${have:+here it is $have}${have:-there is no cargo here}."
    cat >&2 <<EOT
  no root needed:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
  has rustup:      rustup update stable && rustup default stable
  on a cluster:    module avail rust; module load rust
EOT
    return 1
}

# Says what an administrator, a cluster user or anyone without root can do.
maniple_remedy() {
    local kind=$1 what
    shift
    printf -v what '%s, ' "$@"
    cat >&2 <<EOT
Missing: ${what%, }. One of these is enough; then run the same command again.
  Debian, Ubuntu (as root):  apt-get install --no-install-recommends gcc libc6-dev lib$kind-dev libclang1
  Fedora (as root):          dnf install gcc glibc-devel $kind-devel clang-libs
  on a cluster:              module load gcc $kind llvm        (names differ: module avail mpi)
                             on a Cray: module load PrgEnv-gnu cray-mpich
  no root, a C compiler:     python3 -m venv ~/mpi && . ~/mpi/bin/activate && pip install $kind libclang
  it is in another place:    export MPICC=/path/to/mpicc LIBCLANG_PATH=/path/to/the/folder/of/libclang.so
EOT
}

# Runs a package manager as root, silently unless it fails.
maniple_as_root() {
    local log status=0
    log=$(mktemp)
    local as=(env DEBIAN_FRONTEND=noninteractive)
    [[ $EUID == 0 ]] || as=(sudo -n "${as[@]}")
    "${as[@]}" "$@" >"$log" 2>&1 </dev/null || status=$?
    [[ $status == 0 ]] || tail -n 20 "$log" >&2
    rm -f -- "$log"
    return "$status"
}

# Installs what is missing of cc, libclang and mpi; fails if it may not or cannot.
maniple_install() {
    local kind=$1 part packages=() why=
    shift
    [[ ${MANIPLE_NO_INSTALL:-0} != 1 ]] || return 1
    [[ $EUID == 0 ]] || sudo -n true 2>/dev/null || return 1
    if type -P apt-get >/dev/null; then
        for part in "$@"; do
            case $part in
                'a C compiler') packages+=(gcc libc6-dev) ;;
                libclang) packages+=(libclang1) ;;
                *) packages+=("lib$kind-dev") ;;
            esac
        done
    elif type -P dnf >/dev/null; then
        for part in "$@"; do
            case $part in
                'a C compiler') packages+=(gcc glibc-devel) ;;
                libclang) packages+=(clang-libs) ;;
                *) packages+=("$kind-devel") ;;
            esac
        done
    else
        return 1
    fi
    printf -v why '%s, ' "$@"
    if type -P apt-get >/dev/null; then
        maniple_say "apt-get installs ${packages[*]} (missing: ${why%, })"
        local apt=(apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install)
        # The lists of a fresh machine are empty or old.
        maniple_as_root "${apt[@]}" "${packages[@]}" 2>/dev/null && return 0
        maniple_as_root apt-get -o DPkg::Lock::Timeout=600 -qq update || true
        maniple_as_root "${apt[@]}" "${packages[@]}"
    else
        maniple_say "dnf installs ${packages[*]} (missing: ${why%, })"
        maniple_as_root dnf -y -q --setopt=install_weak_deps=False install "${packages[@]}"
    fi
}

# Adds to RUSTFLAGS the places of MPI libraries that the loader does not know of. The compiler
# wrappers would do it, but Rust links by itself.
maniple_set_rpath() {
    local word dir library known
    known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n 's/.*=> \(.*\)\/.*/\1/p' |
        sort -u | xargs -r readlink -f --)
    for word in $("$MPICC" -show 2>/dev/null); do
        [[ $word == -L* ]] || continue
        dir=${word#-L}
        for library in "$dir"/libmpi.so "$dir"/libmpich.so; do
            [[ -e $library ]] || continue
            library=$(readlink -f -- "$library")
            grep -qxF -- "${library%/*}" <<<"$known" && continue
            [[ " ${RUSTFLAGS:-} " == *"-rpath,$dir "* ]] && continue
            export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-C link-arg=-Wl,-rpath,$dir"
        done
    done
}

# The bindings in a target folder are those of one MPI, and cargo does not notice another MPICC.
maniple_forget_other_mpi() {
    local stamp=$CARGO_TARGET_DIR/.mpi now
    now="$MPICC $maniple_kind $maniple_version $("$MPICC" -show 2>/dev/null)"
    [[ -e $stamp && $(<"$stamp") == "$now" ]] && return 0
    mkdir -p -- "$CARGO_TARGET_DIR" || return 1
    rm -rf -- "$CARGO_TARGET_DIR"/*/build/mpi-sys-* "$CARGO_TARGET_DIR"/*/.fingerprint/mpi-sys-*
    printf '%s\n' "$now" >"$stamp"
}

# Sets and exports all that a build with an MPI needs. The argument is the wanted kind, or empty.
maniple_setup() {
    local want=$1 attempt missing
    case $want in
        '' | openmpi | mpich) ;;
        *) maniple_say "unknown MPI '$want': openmpi or mpich" && return 2 ;;
    esac
    maniple_find_rust || return 1
    for attempt in first last; do
        missing=()
        maniple_find_cc || missing+=('a C compiler')
        maniple_find_libclang || missing+=(libclang)
        if ! maniple_find_mpicc "$want"; then
            case $want in
                openmpi) missing+=('Open MPI') ;;
                mpich) missing+=('MPICH') ;;
                *) missing+=('an MPI') ;;
            esac
        elif ! maniple_find_launcher; then
            missing+=("the launcher of $MPICC")
        fi
        [[ ${#missing[@]} == 0 ]] && break
        hash -r
        if [[ $attempt == last ]] || ! maniple_install "${want:-openmpi}" "${missing[@]}"; then
            maniple_remedy "${want:-openmpi}" "${missing[@]}"
            return 1
        fi
    done
    # Used only where libclang has no headers of its own, as in the smallest packages.
    local include
    include=$(cc -print-file-name=include 2>/dev/null)
    [[ ${BINDGEN_EXTRA_CLANG_ARGS:-} == *"$include"* ]] ||
        export BINDGEN_EXTRA_CLANG_ARGS="${BINDGEN_EXTRA_CLANG_ARGS:+$BINDGEN_EXTRA_CLANG_ARGS }-idirafter $include"
    # These two would be asked before MPICC.
    unset MPI_PKG_CONFIG
    [[ $maniple_kind == openmpi ]] && unset CRAY_MPICH_DIR
    CARGO_TARGET_DIR=$(maniple_target_dir)/$maniple_kind
    export MPICC MANIPLE_MPIRUN CARGO_TARGET_DIR PATH
    maniple_set_rpath
    maniple_forget_other_mpi || return 1
    maniple_say "$maniple_kind $maniple_version ($MPICC, $MANIPLE_MPIRUN)"
}

# The folder above the target folders of the MPIs.
maniple_target_dir() {
    local dir
    if [[ -n ${CARGO_TARGET_DIR:-} ]]; then
        dir=$(realpath -ms -- "$CARGO_TARGET_DIR")
        # A set-up was made in this shell before.
        [[ ${dir##*/} == openmpi || ${dir##*/} == mpich ]] && dir=${dir%/*}
        printf '%s\n' "$dir"
    elif [[ -w $maniple_root/target || (! -e $maniple_root/target && -w $maniple_root) ]]; then
        printf '%s\n' "$maniple_root/target"
    else
        # Someone else's checkout.
        printf '%s\n' "${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/maniple/target"
    fi
}

# Lets an MPI on one machine start that many ranks, for the commands run from here.
maniple_launch_settings() {
    local ranks=$1 settings=() setting name line=
    [[ $maniple_kind == openmpi ]] || return 0
    # Containers and fresh machines have no other user than root; Open MPI refuses it unless told.
    [[ $EUID == 0 ]] && settings+=(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
    # A rank is a process with threads: bound to one core, as Open MPI does for two ranks, all of
    # its threads would share it. The second name is that of Open MPI 5.
    settings+=(OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none)
    # The other way to pair network interfaces, netlink, fills standard error on some machines with
    # Open MPI 5.0.7 (Debian 13). Between ranks of one machine neither is used.
    settings+=(OMPI_MCA_reachable=weighted)
    if ((ranks > $(nproc))); then
        settings+=(OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe)
    fi
    for setting in "${settings[@]}"; do
        name=${setting%%=*}
        # What the user has set stays.
        [[ -z ${!name-} ]] && export "${setting?}" && line+=" $setting"
    done
    # So that the command that follows can be repeated by hand.
    [[ -z $line ]] || printf '+ export%s\n' "$line" >&2
}

maniple_setup_main() {
    local want=${MANIPLE_MPI:-} name
    while (($#)); do
        case $1 in
            --mpi) want=${2-} && shift $(($# > 1 ? 2 : 1)) ;;
            --mpi=*) want=${1#*=} && shift ;;
            -h | --help) maniple_setup_help && return 0 ;;
            *) printf '%s: unknown option %q (see --help)\n' "${0##*/}" "$1" >&2 && return 2 ;;
        esac
    done
    maniple_setup "$want" || return
    for name in MPICC MANIPLE_MPIRUN CARGO_TARGET_DIR LIBCLANG_PATH BINDGEN_EXTRA_CLANG_ARGS RUSTFLAGS; do
        [[ -n ${!name:-} ]] && printf 'export %s=%q\n' "$name" "${!name}"
    done
    [[ $maniple_kind == openmpi ]] && printf 'unset CRAY_MPICH_DIR\n'
    printf 'unset MPI_PKG_CONFIG\n'
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -uo pipefail
    maniple_setup_main "$@"
    exit
fi
