#!/bin/bash
# A study as a Slurm array, as many runs at a time as there are tasks:
#
#   sbatch examples/slurm_study.sh --config=configs/study/seeds.py
#   sbatch --array=0-15 examples/slurm_study.sh --config=configs/study/capacity.py
#
# Arguments go to launch.py. Every task works on the whole study: it takes a run that no other has,
# then the next, and ends when none is left. Runs are locked in their folders, which all nodes must
# see. The last task to end writes the study's tables and figures, in runs/studies/<name>.
#
# A task that is preempted, or out of time, saves and is put back into the queue. Whichever task is
# free first goes on with its run from the checkpoint.
#
# More tasks than runs (variants times seeds) have nothing to do; they end with status 1 where no
# run is finished yet.
#
# On a large GPU several seeds at once, in one task, take little longer than one:
#   sbatch --array=0-3 examples/slurm_study.sh --config=configs/study/seeds.py \
#     --config.seeds_per_run=5

#SBATCH --job-name=study
#SBATCH --array=0-7
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --output=%x-%A_%a.out
# After a restart the output goes on where it was.
#SBATCH --open-mode=append
# Slurm may put a task back into the queue when it is preempted or a node fails.
#SBATCH --requeue
# SIGTERM 60 seconds before the time is up: the task saves and leaves with status 143
# (128 + SIGTERM). Preemption sends SIGTERM by itself.
#SBATCH --signal=TERM@60

set -u
cd "$SLURM_SUBMIT_DIR"

srun python launch.py --mode=study "$@"
status=$?

# Out of time is no failure: once more. (A task that was preempted is in the queue already, and
# this changes nothing.)
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
