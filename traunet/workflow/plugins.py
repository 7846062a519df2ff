"""What Snakemake's plugins for clusters take for granted or keep to themselves, corrected before they start.

They are the same plugins. Here stands what all of them have in common; `pods` and `queue` hold what is Kubernetes'
and Slurm's alone. All was tried on a real Slurm of two nodes and a real Kubernetes of one. Tests hold it against
stand-ins (`test_pods.py`, `test_slurm.py`), so that another version of a plugin does not pass unseen.
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from traunet.workflow import pods, queue
from traunet.workflow.status import ending

CORRECTIONS = {"snakemake_executor_plugin_kubernetes": pods.adapt, "snakemake_executor_plugin_slurm": queue.adapt}
TAIL, BYTES = 40, 1 << 16  # of a failed job's log, so many lines are shown, and bytes read at most
SLURMS_OWN = re.compile(r"(slurm\w*(-\S+)?|srun): error:")  # in a job's log: out of memory, out of time
DETAILS = re.compile(r"\n\s.*|For (further error )?details,? .*", re.DOTALL)  # whole commands, and where to look


def adapt() -> None:
    """Correct the plugins that Snakemake has loaded; none is where all jobs run on this machine."""
    remote = sys.modules.get("snakemake_interface_executor_plugins.executors.remote")
    if remote is None or hasattr(remote, "adapted"):
        return
    _say_what_failed(remote.RemoteExecutor)
    _forget_no_job(remote.RemoteExecutor)
    for name, correct in CORRECTIONS.items():
        if name in sys.modules:
            correct(sys.modules[name])
    remote.adapted = True  # pyright: ignore[reportAttributeAccessIssue]


def _say_what_failed(executor: Any) -> None:
    """With the rules' own chatter `--quiet` leaves out what fails, and a job elsewhere has no terminal."""

    def print_job_error(self, job_info, msg: str | None = None, aux_logs: Any = (), **_: Any) -> None:
        log = next((Path(str(log)) for log in job_info.job.log), None)
        name, reason = log.stem if log else job_info.job.name, DETAILS.sub("", msg or "").strip()
        lines = [f"{name} failed: {reason}" if reason else f"{name} failed"]
        if job_info.external_jobid and log and log.is_file():  # else it never started
            lines += [f"  {line}" for line in _lines(log)]
        for file in (Path(file) for file in aux_logs if file and Path(file).is_file()):
            lines += [f"  {line}" for line in dict.fromkeys(_lines(file)) if SLURMS_OWN.match(line)]
            lines.append(f"  what the cluster said: {file}")
        self.logger.error("\n".join(lines))

    executor.print_job_error = print_job_error


def _lines(log: Path) -> list[str]:
    """The last lines of a log; progress bars rewrite theirs after a carriage return."""
    lines = (line.rstrip().rpartition("\r")[2] for line in ending(log, BYTES).split("\n"))
    return [line for line in lines if line][-TAIL:]


def _forget_no_job(executor: Any) -> None:
    """A job stays in mind until it was told how it ended.

    While the plugins ask after their jobs they hold none: Ctrl-C then cancels none, and an answer that fails loses
    the jobs, for which Snakemake waits forever, or ends the whole workflow. And between two looks they sleep up to
    three minutes, also when there is nothing left to look at.
    """
    submitted, succeeded, failed = (
        getattr(executor, f"report_job_{what}") for what in ("submission", "success", "error")
    )

    def at_work(self) -> dict:
        return self.__dict__.setdefault("_at_work", {})

    def report_job_submission(self, job_info, *given, **named):
        at_work(self)[job_info.external_jobid] = job_info
        submitted(self, job_info, *given, **named)

    def report_job_success(self, job_info, *given, **named):
        if at_work(self).pop(job_info.external_jobid, None):
            succeeded(self, job_info, *given, **named)

    def report_job_error(self, job_info, *given, **named):
        # One without an identity was never submitted; one that is no longer at work was cancelled meanwhile.
        if job_info.external_jobid is None or at_work(self).pop(job_info.external_jobid, None):
            failed(self, job_info, *given, **named)

    async def _wait_for_jobs(self) -> None:
        seconds = self.workflow.executor_plugin.common_settings.init_seconds_before_status_checks
        while await _sleep(self, seconds):
            try:
                async for _ in self.check_active_jobs(list(at_work(self).values())):
                    pass  # it is at work still, as is any of which nothing was told
            except Exception as error:
                self.logger.error(f"the cluster does not tell of its jobs, and is asked again soon: {error!r}")
            seconds = self.next_seconds_between_status_checks

    async def _sleep(self, seconds: float) -> bool:
        for _ in range(max(1, round(seconds))):
            if self.wait:
                await asyncio.sleep(min(seconds, 1))
        return self.wait

    def cancel(self) -> None:
        jobs = list(at_work(self).values())
        at_work(self).clear()
        self.cancel_jobs(jobs)
        self.shutdown()

    executor.report_job_submission = report_job_submission
    executor.report_job_success = report_job_success
    executor.report_job_error = report_job_error
    executor._wait_for_jobs = _wait_for_jobs
    executor.cancel = cancel
