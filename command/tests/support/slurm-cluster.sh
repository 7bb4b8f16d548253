#!/bin/bash
# Runs a command inside a throw-away Slurm cluster on this host, and ends every daemon afterwards.
#
#   slurm-cluster.sh [--nodes N] [--cpus N] [--directory DIR] COMMAND [ARGUMENT…]
#
# The command finds the cluster through SLURM_CONF. Needs root, and Debian's slurmctld, slurmd,
# slurm-client and munge. Nothing outside DIR is written, and no service manager is needed.
# When the command ends, jobs are cancelled, daemons are ended, and its status is passed on.
set -u

node_count=1 cpus_per_node=6 directory=
while [ $# -gt 0 ]; do
    case $1 in
    --nodes) node_count=$2; shift 2 ;;
    --cpus) cpus_per_node=$2; shift 2 ;;
    --directory) directory=$2; shift 2 ;;
    --*) echo "slurm-cluster.sh: unknown option $1" >&2; exit 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "slurm-cluster.sh: the daemons must be started by root" >&2; exit 2; }

temporary=
[ -n "$directory" ] || temporary=$(mktemp -d)
directory=${directory:-$temporary}
mkdir -p "$directory/state" "$directory/munge"
chmod 755 "$directory" "$directory/munge"
export SLURM_CONF=$directory/slurm.conf
export PATH=$PATH:/usr/sbin:/sbin

daemons=()
# Starts a daemon in the foreground, so that its process id is known and it dies with this script.
start() {
    setpriv --pdeathsig KILL -- "$@" >>"$directory/daemons.log" 2>&1 </dev/null &
    daemons+=($!)
}

stop() {
    trap '' INT TERM HUP
    timeout 5 scancel --full --signal=KILL --state=RUNNING --user=root 2>/dev/null
    timeout 5 scancel --user=root 2>/dev/null
    for _ in $(seq 50); do
        [ -n "$(timeout 2 squeue --noheader 2>/dev/null)" ] || break
        sleep 0.1
    done
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null; done
    for _ in $(seq 30); do
        kill -0 "${daemons[@]}" 2>/dev/null || break
        sleep 0.1
    done
    for pid in "${daemons[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    [ -z "$temporary" ] || rm -rf "$temporary"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A base such that the controller's port and one port for each node are free.
free_port_base() {
    local base offset
    for base in $(shuf --input-range=20000-30000 --head-count=20); do
        for offset in $(seq 0 "$node_count"); do
            (: <"/dev/tcp/127.0.0.1/$((base + offset))") 2>/dev/null && continue 2
        done
        echo "$base" && return
    done
}

host=$(hostname -s)
base=$(free_port_base)
{
    cat <<CONF
ClusterName=throwaway
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$base
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$directory/munge/socket
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool.%n
TmpFS=$directory/tmp.%n
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd.%n.pid
SlurmctldLogFile=$directory/slurmctld.log
SlurmdLogFile=$directory/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
KillWait=2
OverTimeLimit=0
MailProg=/bin/true
CONF
    for index in $(seq "$node_count"); do
        echo "NodeName=n$index NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + index))" \
            "CPUs=$cpus_per_node RealMemory=4096 State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
} >"$SLURM_CONF"
echo "CgroupPlugin=cgroup/v1" >"$directory/cgroup.conf"

(umask 077 && dd if=/dev/urandom of="$directory/munge/key" bs=1024 count=1 status=none)
start munged --foreground --force --key-file="$directory/munge/key" --socket="$directory/munge/socket" \
    --pid-file="$directory/munge/pid" --log-file="$directory/munge/log" --seed-file="$directory/munge/seed"
for _ in $(seq 50); do [ -S "$directory/munge/socket" ] && break; sleep 0.1; done
start slurmctld -D -f "$SLURM_CONF"
# Each node has a name and shared memory of its own: Open MPI names its segments after the host and
# the rank's number there, and would take those of two nodes for one. Hydra calls back by the name.
{ cat /etc/hosts; printf '127.0.0.1 n%s\n' $(seq "$node_count"); } >"$directory/hosts"
node='hostname "$1" && mount -t tmpfs tmpfs /dev/shm && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'
for index in $(seq "$node_count"); do
    mkdir -p "$directory/spool.n$index" "$directory/tmp.n$index"
    start unshare --uts --ipc --mount --propagation private sh -c "$node" sh "n$index" "$directory/hosts" \
        slurmd -D -f "$SLURM_CONF" -N "n$index"
done

idle=0
for _ in $(seq 100); do
    idle=$(timeout 5 sinfo --noheader --Node --format=%T 2>/dev/null | grep -c '^idle$')
    [ "$idle" = "$node_count" ] && break
    sleep 0.2
done
if [ "$idle" != "$node_count" ]; then
    echo "slurm-cluster.sh: $idle of $node_count nodes came up" >&2
    tail -n 5 "$directory"/*.log >&2
    exit 1
fi

"$@"
