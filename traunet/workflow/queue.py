"""Slurm's answers, as its plugin for Snakemake (2.8.0) mistakes them; heard from Slurm 22.05."""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from contextlib import suppress
from typing import Any

NODE_LOST = {"NODE_FAIL", "PREEMPTED"}  # as Slurm calls a job that lost its node, and may start anew
MAY_START_ANEW = NODE_LOST | {"FAILED"}  # a job that ends when it is warned of being preempted has failed
RUN = re.compile(r"--name (\S+)")
TOLD = re.compile(r"(\w+)=(\S+)")
WAITING = re.compile(r"^(\d+) (.+)$", re.MULTILINE)
NOT_STARTED = "launch failed requeued held"  # its node was ill
HELD = re.compile(r"held$|JobHeld|JobHold")
NOT_GIVEN = re.compile(r"PartitionTimeLimit|PartitionNodeLimit|PerJob|MaxMemPerLimit|BadConstraints|Invalid")
ASK_ELSE = "change what is asked for in a copy of profiles/slurm"
RELEASES = 3  # of one job: Slurm takes an ill node out of use, so the next is another


def adapt(plugin: Any) -> None:
    """Understand five of Slurm's answers, for which the plugin waits forever or gives up.

    A job that somebody cancelled is `CANCELLED by 1000`, which it takes for one at work. One that lost its node
    waits in the queue again, as Slurm sees to by itself; the plugin submits another, and keeps away from a node
    called `None assigned`, which no later submission survives. One that does not wait there, and one that was
    preempted, it waits for, or counts as failed; here it goes back into the queue, however often. One that an ill
    node did not start is held in the queue until somebody lets it go, and others wait there for what never comes;
    it says nothing of either. And where accounting is off, it hears nothing.
    """
    ask = plugin.query_job_status
    over: set[str] = set()  # jobs that ended for another reason: nobody has to be asked again
    waiting = Waiting()

    async def query_job_status(command: str, logger) -> tuple[dict[str, str], float]:
        states, seconds = await ask(command, logger)
        named = RUN.search(command)
        run = named[1] if named else ""
        if states is None or NODE_LOST.intersection(states.values()):  # the queue knows what comes next
            queued, _ = await ask(plugin.query_job_status_squeue(run), logger)
            states = {**(states or {}), **(queued or {})}
        told = {job: state.split()[0] for job, state in states.items() if state}
        for job in [job for job, state in told.items() if state in MAY_START_ANEW and job not in over]:
            told[job] = await _put_back(job, told[job], logger)
            if told[job] in MAY_START_ANEW:
                over.add(job)
        if "PENDING" in told.values():
            await waiting.look(run, logger)
        # Slurm leaves it out of its queue: the plugin would wait for it.
        return {job: "CANCELLED" if state in NODE_LOST else state for job, state in told.items()}, seconds or 0.0

    plugin.query_job_status = query_job_status


async def _put_back(job: str, state: str, logger: Any) -> str:
    """Put a job back into the queue if it lost its node; its new state, or the old one if Slurm leaves it out."""
    now = dict(TOLD.findall(await _answer("scontrol", "--oneliner", "show", "job", job) or ""))
    if now.get("JobState", state) not in MAY_START_ANEW:  # in the queue again by now, or not yet off its node
        return now["JobState"]
    preempted = now.get("PreemptTime", "None")
    of_itself = preempted == "None" or preempted < now["StartTime"]  # never preempted, or in an earlier start
    if state == "FAILED" and of_itself:
        return state
    if await _answer("scontrol", "requeue", job) is None:
        return state
    what = "lost its node" if state == "NODE_FAIL" else "was preempted"
    logger.error(f"SLURM-job '{job}' {what}, and waits in the queue again")
    return "PENDING"


class Waiting:
    """The jobs in Slurm's queue: which were let go, and of which was told that they wait in vain."""

    def __init__(self) -> None:
        self.released: Counter[str] = Counter()
        self.told: set[tuple[str, str]] = set()

    async def look(self, run: str, logger: Any) -> None:
        """Let go those that a node did not start; tell once of those that nothing but somebody's word helps."""
        listing = ("squeue", "--noheader", "--states", "PENDING", "--name", run, "--format", "%i %r")
        in_vain: dict[str, list[str]] = {}
        for job, reason in WAITING.findall(await _answer(*listing) or ""):
            if reason == NOT_STARTED and await self._release(job):
                logger.error(f"SLURM-job '{job}' was not started by its node, and waits in the queue again")
            elif (HELD.search(reason) or NOT_GIVEN.search(reason)) and (job, reason) not in self.told:
                self.told.add((job, reason))
                in_vain.setdefault(reason, []).append(job)
        for reason, jobs in in_vain.items():
            which = ",".join(jobs)
            advice = f"scontrol release {which}" if HELD.search(reason) else ASK_ELSE
            logger.error(f"Slurm does not start {which} by itself ({reason}): {advice}")

    async def _release(self, job: str) -> bool:
        self.released[job] += 1
        return self.released[job] <= RELEASES and await _answer("scontrol", "release", job) is not None


async def _answer(*command: str) -> str | None:
    """What one of Slurm's commands says; None if it fails, is not there, or says nothing for a minute."""
    with suppress(OSError):
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
        try:
            said, _ = await asyncio.wait_for(process.communicate(), timeout=60)
            return None if process.returncode else said.decode()
        except TimeoutError:
            process.kill()
    return None
