#!/bin/tcsh
# pi: 12 ranks on 1 node, 10 workers of 1 thread and 3200MB
#   node 1: scheduler, driver, 10 workers
# Edit: walltime, resources, modules, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job torque --site vortex --nodes 1 --ranks-per-node 12 --walltime 00:20:00 -- ./pi --samples 1e12
#PBS -N pi
#PBS -l walltime=00:20:00
#PBS -j oe
#PBS -l nodes=1:vortex:ppn=12

cd "$PBS_O_WORKDIR"
module load openmpi
setenv MANIPLE_THREADS 1
setenv MANIPLE_MEMORY_LIMIT 3200MB
setenv MANIPLE_END_TIME `date -d '+1200 seconds' +%s`
exec mpirun -n 12 --map-by ppr:12:node:OVERSUBSCRIBE --bind-to none \
    -x MANIPLE_THREADS -x MANIPLE_MEMORY_LIMIT -x MANIPLE_END_TIME \
    ./pi --samples 1e12
