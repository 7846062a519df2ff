"""A cluster in a folder: Slurm's commands as small scripts that note what they were asked and run jobs here.

A file `refuse` in it lets it take no job; a file `cancel` lets it cancel the next one, a file `preempt` end it as
if it had been warned of its preemption, and a file `hold`, with the reason, keep it waiting. What was put into the
queue again stands in the file `requeued`.
"""

from pathlib import Path

SBATCH = """#!/bin/bash
if [ -e {root}/refuse ]; then
    echo "sbatch: error: invalid partition specified: gpus" >&2
    exit 1
fi
id=1; until mkdir {root}/$id 2>/dev/null; do id=$((id + 1)); done; printf '%s\\n' "$@" > {root}/$id.args
while [ $# -gt 0 ]; do
    case $1 in --wrap=*) job=${{1#--wrap=}} ;; --output) log=${{2//%j/$id}}; shift ;; -D) cd "$2"; shift ;; esac
    shift
done
printf '%s\\n' "cd '$PWD'" "$job" > {root}/$id.job; echo "$log" > {root}/$id.log
if rm {root}/cancel 2>/dev/null; then
    echo CANCELLED by 1000 > {root}/$id.state
elif rm {root}/preempt 2>/dev/null; then
    echo FAILED > {root}/$id.state; touch {root}/$id.preempted
elif mv {root}/hold {root}/$id.held 2>/dev/null; then
    echo PENDING > {root}/$id.state
else
    {bin}/start $id
fi
echo $id
"""
START = """#!/bin/bash
{{
    if env -i PATH={bin}:/usr/bin:/bin HOME={root} SLURM_JOB_ID=$1 CUDA_VISIBLE_DEVICES=3 /bin/sh {root}/$1.job
    then echo COMPLETED > {root}/$1.state; else
        echo "slurmstepd-here: error: Detected 1 oom-kill event(s)"
        echo FAILED > {root}/$1.state  # last: who sees it reads the log
    fi
}} > "$(cat {root}/$1.log)" 2>&1 < /dev/null &
"""
SRUN = """#!/bin/bash
printf '%s\\n' "$@" > {root}/$SLURM_JOB_ID.step
while [[ $1 == -* ]]; do shift; done
exec "$@"
"""
SACCT = """#!/bin/bash
[[ " $* " == *" -j "* ]] && exit 0
for args in {root}/*.args; do
    id=$(basename $args .args)
    echo "$id|$(cat {root}/$id.state 2>/dev/null || echo RUNNING)"
done
"""
SQUEUE = """#!/bin/bash
for held in {root}/*.held; do
    [ -e $held ] && echo "$(basename $held .held) $(cat $held)"
done
exit 0
"""
SACCTMGR = "#!/bin/bash\necho lab\n"
SINFO = "#!/bin/bash\necho 'MinJobAge = 300 sec'\n"
SCONTROL = """#!/bin/bash
case "$*" in
    requeue*|release*)
        rm {root}/$2.preempted {root}/$2.held {root}/$2.state 2>/dev/null
        echo $2 >> {root}/requeued
        {bin}/start $2 ;;
    *"show job"*)
        preempted=None; [ -e {root}/$4.preempted ] && preempted=2026-11-29T21:39:07
        echo "JobId=$4 JobState=$(cat {root}/$4.state) StartTime=2026-11-29T21:38:51 PreemptTime=$preempted" ;;
    *) exec {bin}/sinfo ;;
esac
"""
SCRIPTS = {
    "sbatch": SBATCH,
    "srun": SRUN,
    "sacct": SACCT,
    "sacctmgr": SACCTMGR,
    "scontrol": SCONTROL,
    "sinfo": SINFO,
    "squeue": SQUEUE,
    "start": START,
}


def install(bin: Path, root: Path) -> Path:
    """Write the commands into `bin`; what they note lies in `root`: <job>.args of sbatch, <job>.step of srun."""
    for folder in (bin, root):
        folder.mkdir()
    for name, text in SCRIPTS.items():
        (bin / name).write_text(text.format(bin=bin, root=root))
        (bin / name).chmod(0o755)
    return root


def asked(file: Path) -> dict[str, str]:
    """What a command was asked: its options, long and short, with their values."""
    words, said = file.read_text().splitlines(), {}
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            option, _, value = word.partition("=")
            said[option] = value or ("" if after.startswith("-") else after)
    return said
