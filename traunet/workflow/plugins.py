"""What Snakemake's plugins for clusters take for granted or keep to themselves, corrected before they start.

They are the same plugins: Kubernetes' 0.5.1, Slurm's 2.8.0, and what both stand on. All that is said of Slurm
here was seen on a real one, 22.05. `tests/test_pods.py` and `tests/test_slurm.py` hold each correction against a
cluster that stands in for one, so that another version of a plugin does not pass unseen.
"""

import asyncio
import re
import sys
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any

TAIL = 40  # lines of a failed job's log that are shown
NODE_LOST = {"NODE_FAIL", "PREEMPTED"}  # as Slurm calls a job that lost its node, and may start anew
NAME = re.compile(r"--name (\S+)")
SLURMS_OWN = re.compile(r"(slurm\w*(-\S+)?|srun): error:")  # in a job's log: out of memory, out of time
KEPT_DETAIL = re.compile(r"\n\s.*|For further error details .*", re.DOTALL)


def adapt() -> None:
    """Correct the plugins that Snakemake has loaded; none is where all jobs run on this machine."""
    remote = sys.modules.get("snakemake_interface_executor_plugins.executors.remote")
    kubernetes = sys.modules.get("snakemake_executor_plugin_kubernetes")
    slurm = sys.modules.get("snakemake_executor_plugin_slurm")
    if remote and not hasattr(remote, "adapted"):
        _say_what_failed(remote.RemoteExecutor)
        _stop_at_once(remote.RemoteExecutor)
        remote.adapted = True  # pyright: ignore[reportAttributeAccessIssue]
    if kubernetes and not hasattr(kubernetes, "adapted"):
        _share_one_volume(kubernetes)
        _read_the_log_that_there_is(kubernetes.kubernetes.client.CoreV1Api)
        kubernetes.adapted = True  # pyright: ignore[reportAttributeAccessIssue]
    if slurm and not hasattr(slurm, "adapted"):
        _understand_states(slurm)
        slurm.adapted = True  # pyright: ignore[reportAttributeAccessIssue]


def _say_what_failed(executor: type) -> None:
    """With the rules' own chatter `--quiet` leaves out what fails, and a job elsewhere has no terminal."""

    def print_job_error(self, job_info, msg: str | None = None, aux_logs: Any = (), **_: Any) -> None:
        log = next((Path(str(log)) for log in job_info.job.log), None)
        name = log.stem if log else job_info.job.name
        reason = KEPT_DETAIL.sub("", msg or "").strip()
        lines = [f"{name} failed: {reason}" if reason else f"{name} failed"]
        if job_info.external_jobid and log and log.is_file():  # else it never started
            lines += [f"  {line}" for line in _tail(log)]
        for file in (Path(file) for file in aux_logs if file and Path(file).is_file()):
            said = file.read_text(encoding="utf-8", errors="replace").splitlines()
            lines += [f"  {line}" for line in dict.fromkeys(said) if SLURMS_OWN.match(line)]
            lines.append(f"  what the cluster said: {file}")
        self.logger.error("\n".join(lines))

    executor.print_job_error = print_job_error  # pyright: ignore[reportAttributeAccessIssue]


def _tail(log: Path) -> list[str]:
    with log.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip().rpartition("\r")[2] for line in deque(file, TAIL)]


def _stop_at_once(executor: type) -> None:
    """It sleeps up to three minutes between two looks at its jobs, also when there is nothing left to look at."""

    async def sleep(self) -> None:
        for _ in range(round(self.next_seconds_between_status_checks)):
            if not self.wait:
                return
            await asyncio.sleep(1)

    executor.sleep = sleep  # pyright: ignore[reportAttributeAccessIssue]


def _share_one_volume(plugin: ModuleType) -> None:
    """Let jobs work on a volume that all pods mount: the checkout, .venv, data and build/.

    The plugin declares that no file system is shared: every file would go through a storage service, and every pod
    would fetch unpinned packages for that.
    """
    plugin.common_settings.implies_no_shared_fs = False
    plugin.common_settings.job_deploy_sources = False


def _read_the_log_that_there_is(api: type) -> None:
    """Of a failed pod it asks for the log of the container before, which a pod that never restarts does not have.

    The API then answers 400, which would end the whole workflow instead of the one job.
    """
    read = api.read_namespaced_pod_log  # pyright: ignore[reportAttributeAccessIssue]

    def read_namespaced_pod_log(self, *given, previous=None, **named):
        return read(self, *given, **named)

    api.read_namespaced_pod_log = read_namespaced_pod_log  # pyright: ignore[reportAttributeAccessIssue]


def _understand_states(plugin: ModuleType) -> None:
    """Three of Slurm's answers that it mistakes, and then waits forever or gives up.

    A job that somebody cancelled is `CANCELLED by 1000`, which it takes for one at work. One that lost its node
    waits in the queue again, as Slurm sees to by itself; it would submit another, and keep away from a node called
    `None assigned`, which no submission survives. And where accounting does not answer, it forgets its jobs.
    """
    ask = plugin.query_job_status

    async def query_job_status(command: str, logger) -> tuple[dict[str, str], float]:
        states, seconds = await ask(command, logger)
        if states is None or NODE_LOST.intersection(states.values()):  # the queue knows what comes next
            run = NAME.search(command)
            queued, _ = await ask(plugin.query_job_status_squeue(run[1] if run else ""), logger)
            states = {**(states or {}), **(queued or {})}
        told = {job: state.split()[0] for job, state in states.items() if state}
        # Preempted, and not in the queue again: nobody starts it anew but we.
        return {job: "CANCELLED" if state == "PREEMPTED" else state for job, state in told.items()}, seconds or 0.0

    plugin.query_job_status = query_job_status  # pyright: ignore[reportAttributeAccessIssue]
