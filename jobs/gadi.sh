#!/bin/bash
# pi: 10 ranks on 2 nodes, 8 workers of 12 threads and 51GB
#   node 1: scheduler, driver, 4 workers
#   node 2: 4 workers
# Edit: account, queue, walltime, resources, modules, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --site gadi --nodes 2 --workers-per-node 4 --walltime 00:20:00 --account PROJECT -- ./pi --samples 1e12
#PBS -N pi
#PBS -q normal
#PBS -l walltime=00:20:00
#PBS -j oe
#PBS -P PROJECT
#PBS -l ncpus=96
#PBS -l mem=384gb

cd "$PBS_O_WORKDIR"
module load openmpi
export MANIPLE_THREADS=12
export MANIPLE_MEMORY_LIMIT=51GB
export MANIPLE_LOCAL_DIRECTORY="${TMPDIR}"
export MANIPLE_END_TIME=$(date -d '+1200 seconds' +%s)
hosts=$(mktemp)
uniq "$PBS_NODEFILE" | awk '{ for (i = 0; i < (NR == 1 ? 6 : 4); i++) print }' | head -n 10 > "$hosts"
trap : INT TERM USR1
mpirun -n 10 --hostfile "$hosts" --map-by seq:OVERSUBSCRIBE --bind-to none \
    -x MANIPLE_THREADS -x MANIPLE_MEMORY_LIMIT -x MANIPLE_LOCAL_DIRECTORY -x MANIPLE_END_TIME \
    ./pi --samples 1e12
run_status=$?
rm -f "$hosts"
exit $run_status
