#!/bin/sh
# Untried: no cluster has run it. share.sh, which does the work, is tested.
#
# usage: sbatch slurm-array.sh
#SBATCH --job-name=copy-data
#SBATCH --array=0-3
#SBATCH --ntasks=1
#SBATCH --time=04:00:00
#SBATCH --requeue
exec sh "$SLURM_SUBMIT_DIR/share.sh" "$SLURM_ARRAY_TASK_ID" "$SLURM_ARRAY_TASK_COUNT" results alice@host:results
