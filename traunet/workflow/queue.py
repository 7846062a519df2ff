"""Slurm's answers, as its plugin for Snakemake (2.8.0) mistakes them; heard from Slurm 22.05."""

import re
from typing import Any

NODE_LOST = {"NODE_FAIL", "PREEMPTED"}  # as Slurm calls a job that lost its node, and may start anew
RUN = re.compile(r"--name (\S+)")


def adapt(plugin: Any) -> None:
    """Understand three of Slurm's answers, for which the plugin waits forever or gives up.

    A job that somebody cancelled is `CANCELLED by 1000`, which it takes for one at work. One that lost its node
    waits in the queue again, as Slurm sees to by itself; the plugin submits another, and keeps away from a node
    called `None assigned`, which no later submission survives. And where accounting is off, it hears nothing.
    """
    ask = plugin.query_job_status

    async def query_job_status(command: str, logger) -> tuple[dict[str, str], float]:
        states, seconds = await ask(command, logger)
        if states is None or NODE_LOST.intersection(states.values()):  # the queue knows what comes next
            run = RUN.search(command)
            queued, _ = await ask(plugin.query_job_status_squeue(run[1] if run else ""), logger)
            states = {**(states or {}), **(queued or {})}
        told = {job: state.split()[0] for job, state in states.items() if state}
        # Preempted, and not in the queue again: nobody starts it anew but we.
        return {job: "CANCELLED" if state == "PREEMPTED" else state for job, state in told.items()}, seconds or 0.0

    plugin.query_job_status = query_job_status
