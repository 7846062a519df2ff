"""What all of Snakemake's cluster plugins are made to do: to forget no job, whatever moment Ctrl-C comes at."""

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from traunet.workflow import plugins


@pytest.fixture
def executor() -> Any:
    """One as Snakemake's plugins are, with three jobs; `answer` is what asking after them does."""

    class Executor:
        def __init__(self, answer):
            settings = SimpleNamespace(init_seconds_before_status_checks=0)
            self.workflow = SimpleNamespace(executor_plugin=SimpleNamespace(common_settings=settings))
            self.wait, self.next_seconds_between_status_checks = True, 0
            self.answer, self.asked, self.told, self.cancelled = answer, [], [], []
            self.logger = logging.getLogger("test")

        def report_job_submission(self, job):
            self.told.append(("submitted", job))

        def report_job_success(self, job):
            self.told.append(("success", job))

        def report_job_error(self, job, msg=""):
            self.told.append(("error", job))

        def cancel_jobs(self, jobs):
            self.cancelled += jobs

        def shutdown(self):
            self.wait = False

        async def check_active_jobs(self, jobs):
            self.asked.append(list(jobs))
            for job in jobs:
                if await self.answer(self, job):
                    yield job

    plugins._forget_no_job(Executor)

    def make(answer):
        made = Executor(answer)
        for number in range(3):
            made.report_job_submission(SimpleNamespace(external_jobid=str(number)))
        return made

    return make


def test_ctrl_c_cancels_all_jobs_also_while_they_are_asked_after(executor):
    asking = threading.Event()

    async def slow(_, __):
        asking.set()
        await asyncio.sleep(0.3)
        return True

    one = executor(slow)
    thread = threading.Thread(target=lambda: asyncio.run(one._wait_for_jobs()))
    thread.start()
    assert asking.wait(10)
    one.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert [job.external_jobid for job in one.cancelled] == ["0", "1", "2"]


def test_jobs_of_which_nothing_is_told_are_asked_after_again_and_finished_ones_are_not(executor):
    async def answer(self, job):
        if len(self.asked) == 1:
            raise OSError("no answer")  # all of them unknown
        if len(self.asked) == 3:
            self.report_job_success(job)
        return False  # the plugin forgets it

    one = executor(answer)
    asyncio.run(watched(one, 4))
    assert [len(jobs) for jobs in one.asked[:4]] == [3, 3, 3, 0]
    assert [what for what, _ in one.told].count("success") == 3


async def watched(one, times: int) -> None:
    """Let it look after its jobs so many times."""
    task = asyncio.ensure_future(one._wait_for_jobs())
    async with asyncio.timeout(60):
        while len(one.asked) < times and not task.done():
            await asyncio.sleep(0.01)
        one.shutdown()
        await task


def test_what_was_cancelled_does_not_fail_afterwards_and_what_was_never_submitted_does(executor):
    async def never(*_):
        return True

    one = executor(never)
    job = SimpleNamespace(external_jobid="1")
    one.cancel()
    one.report_job_error(job)
    assert ("error", job) not in one.told
    refused = SimpleNamespace(external_jobid=None)
    one.report_job_error(refused)
    assert ("error", refused) in one.told
