#!/bin/bash
# One run on several nodes under Slurm, a process a GPU:
#
#   sbatch examples/slurm.sh --config=configs/mnist.py
#
# Arguments go to launch.py. The folder of a run follows from its config, so the same command finds
# its own run again: it goes on from the last checkpoint, or says that there is nothing left to do.
#
# The experiments of configs/ are small: for them, many seeds are worth more than many GPUs.
#   --config.replicas=5       five seeds at once on the same GPUs, with one table at the end
#   #SBATCH --array=0-4       five jobs of one GPU each; ask for --nodes=1, --ntasks-per-node=1 and
#                             --gpus-per-node=1, leave --distributed out, and add
#                             --config.seed="$SLURM_ARRAY_TASK_ID" below
#
# The number of processes must divide config.batch_size (32).

#SBATCH --job-name=icm
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
# All GPUs of a node are visible to all its tasks; JAX takes the one of the task's local number.
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --output=%x-%j.out
# After a restart the output goes on where it was.
#SBATCH --open-mode=append
# Slurm may put the job back into the queue when it is preempted or a node fails.
#SBATCH --requeue
# SIGTERM 60 seconds before the time is up, to the tasks: they agree on a step, save and leave with
# status 143 (128 + SIGTERM). A checkpoint takes seconds; a final evaluation is not cut short, and
# where it takes longer than this it is done again. Preemption sends SIGTERM by itself.
#SBATCH --signal=TERM@60

set -u
cd "$SLURM_SUBMIT_DIR"

# One process that dies takes the others along: they would wait for it. --gpu-bind=none leaves the
# choice of the GPU to JAX.
srun --kill-on-bad-exit=1 --gpu-bind=none python launch.py --distributed "$@"
status=$?

# Out of time is no failure: once more, from the checkpoint. (A job that was preempted is in the
# queue already, and this changes nothing.)
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
