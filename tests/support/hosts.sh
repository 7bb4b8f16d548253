#!/bin/bash
# Runs a command between several 'hosts' on this machine, and takes them down afterwards.
#
#   hosts.sh N COMMAND [ARGUMENT…]
#
# Each host is a set of namespaces: a network with an address of its own on one bridge, a name, and shared
# memory. The command runs on the first one, h1; there HOSTS_AGENT names what an MPI
# launcher takes for ssh, to start ranks on the others. Needs root, iproute2 and util-linux.
#   hosts.sh --check     says whether this machine allows it
set -u

enter() {
    # A rank's host is told by its name; the working directory is the same everywhere.
    nsenter --target "$1" --net --uts --ipc --mount --wdns="$PWD" -- "${@:2}"
}

# As ssh: [OPTION…] HOST WORD…, where the words are one command line of the shell.
if [ "${0##*/}" = agent ]; then
    while [[ ${1-} == -* ]]; do [ "$1" = -l ] && shift; shift; done
    pid=$(cat "$HOSTS_DIRECTORY/$1.pid") || exit 255
    shift
    exec nsenter --target "$pid" --net --uts --ipc --mount --wdns=/ -- sh -c "$*"
fi

if [ "${1-}" = --check ]; then
    exec unshare --net --uts --ipc --mount sh -c 'ip link add c0 type bridge && mount -t tmpfs tmpfs /mnt'
fi
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
count=$1
shift

# The bridge is in a network namespace too: nothing of this machine's own is touched, and any number of
# these scripts can run at a time. All of it goes with the processes that hold it.
if [ -z "${HOSTS_INSIDE-}" ]; then
    export HOSTS_INSIDE=1
    exec unshare --net --mount --propagation private -- setpriv --pdeathsig KILL -- "$0" "$count" "$@"
fi

directory=$(mktemp -d)
export HOSTS_DIRECTORY=$directory HOSTS_AGENT=$directory/agent
ln -s "$(readlink -f -- "$0")" "$HOSTS_AGENT"
holders=()
stop() {
    trap '' INT TERM HUP
    for holder in "${holders[@]}"; do
        # Whatever a launcher has left on that host.
        space=$(readlink "/proc/$holder/ns/uts")
        for process in /proc/[0-9]*; do
            [ "$(readlink "$process/ns/uts" 2>/dev/null)" = "$space" ] && kill -KILL "${process#/proc/}" 2>/dev/null
        done
    done
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

network=10.77.0
ip link set lo up && ip link add bridge type bridge && ip link set bridge up || exit 1
{
    echo "127.0.0.1 localhost"
    for index in $(seq "$count"); do echo "$network.$index h$index"; done
} >"$directory/hosts"

for index in $(seq "$count"); do
    # One process holds the namespaces of a host: it lives as long as this script.
    setup='hostname "$1" && mount -t tmpfs tmpfs /dev/shm &&
        mount --bind "$2/hosts" /etc/hosts && ip link set lo up && echo $$ >"$2/$1.pid" && exec sleep infinity'
    setpriv --pdeathsig KILL -- unshare --net --uts --ipc --mount --propagation private \
        sh -c "$setup" sh "h$index" "$directory" </dev/null &
    holders+=($!)
    # Its end is no news.
    disown
done
for index in $(seq "$count"); do
    name=h$index
    for _ in $(seq 100); do [ -s "$directory/$name.pid" ] && break; sleep 0.05; done
    holder=$(cat "$directory/$name.pid") || exit 1
    ip link add "v$index" type veth peer name eth0 netns "$holder" &&
        ip link set "v$index" master bridge up &&
        enter "$holder" ip addr add "$network.$index/24" dev eth0 &&
        enter "$holder" ip link set eth0 up || exit 1
done

enter "$(cat "$directory/h1.pid")" "$@"
