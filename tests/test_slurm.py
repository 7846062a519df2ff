"""Snakemake's own Slurm plugin, from submission to the job on its node, over commands that stand in for Slurm's.

What they answer was heard from a real Slurm (22.05), with accounting and without, of jobs that failed, were
cancelled or preempted, ran out of memory or lost their node.
"""

import asyncio
import logging
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
import slurm
from projects import finished_checkout
from snakemake_executor_plugin_slurm.job_status_query import query_job_status_sacct, query_job_status_squeue
from test_machines import snakemake

from traunet.workflow import flow, queue
from traunet.workspace import PROJECT

QUICK = ("--until", "train", "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the project on a cluster, in which every training is done."""
    checkout = finished_checkout(tmp_path_factory.mktemp("slurm") / "project")
    own = checkout / "own"
    shutil.copytree(PROJECT / "profiles" / "slurm", own)
    text = (own / "config.yaml").read_text()
    for line in ("default-resources:", "  slurm_account: \"'yours'\"", "  slurm_partition: \"'cpu'\""):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line.replace("yours", "lab"))
    # A partition with a name of Python's own, as small clusters have it.
    (own / "config.yaml").write_text(text.replace("# slurm_partition: \"'gpu'\"", "slurm_partition: \"'all'\""))
    return checkout, slurm.install(checkout / "bin", checkout / "cluster")


@pytest.fixture
def cluster(finished):
    """The same with one training still to do, the cluster's folder, and what runs Snakemake."""
    checkout, noted = finished
    for file in noted.glob("*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    shutil.rmtree(checkout / ".snakemake" / "slurm_logs", ignore_errors=True)
    wanted = checkout / "build" / "smoke" / "done" / "train-tranet-2"
    wanted.unlink(missing_ok=True)
    return checkout, noted, lambda: snakemake(checkout, checkout / "own", *QUICK, *flow.QUIET)


def test_a_training_that_fails_says_why_and_is_tried_again_with_more_memory(cluster):
    checkout, noted, run = cluster
    (checkout / "failing-once").write_text("train-tranet-2")
    done = run()
    assert done.returncode == 0, done.stdout
    assert (checkout / "build" / "smoke" / "done" / "train-tranet-2").exists()
    first, second = (slurm.asked(noted / f"{number}.args") for number in (1, 2))
    assert (first["-A"], first["-p"], first["-t"], first["--gpus"]) == ("lab", "all", "1440", "1")
    assert (first["--cpus-per-task"], first["--mem"], second["--mem"]) == ("8", "24000", "48000")
    assert first["--comment"] == "rule_train_wildcards_tranet_2"
    assert slurm.asked(noted / "2.step")["--gpus"] == "1"
    logs, slurms = checkout / "build" / "smoke" / "logs", checkout / ".snakemake" / "slurm_logs"
    assert "was told to fail" in (logs / "train-tranet-2.log.before").read_text()
    assert "CUDA_VISIBLE_DEVICES: 3" in (logs / "train-tranet-2.log").read_text()
    assert len(list(slurms.rglob("*.log"))) == 2
    assert "train-tranet-2 failed: SLURM-job '1' failed, SLURM status is: 'FAILED'" in done.stdout
    assert "was told to fail" in done.stdout
    assert "slurmstepd-here: error: Detected 1 oom-kill event(s)" in done.stdout
    assert f"what the cluster said: {slurms}/rule_train/tranet_2/1.log" in done.stdout


def test_a_job_that_somebody_cancels_is_tried_again(cluster):
    _, noted, run = cluster
    (noted / "cancel").touch()
    done = run()
    assert done.returncode == 0, done.stdout
    assert "train-tranet-2 failed: SLURM-job '1' failed, SLURM status is: 'CANCELLED'" in done.stdout
    assert (noted / "2.args").exists()


def test_a_preempted_job_goes_back_into_the_queue_and_has_not_failed(cluster):
    _, noted, run = cluster
    (noted / "preempt").touch()
    done = run()
    assert done.returncode == 0, done.stdout
    assert "SLURM-job '1' was preempted, and waits in the queue again" in done.stdout
    assert "failed" not in done.stdout
    assert (noted / "requeued").read_text() == "1\n"
    assert not (noted / "2.args").exists()


def test_a_job_that_an_ill_node_did_not_start_is_let_go(cluster):
    _, noted, run = cluster
    (noted / "hold").write_text("launch failed requeued held")
    done = run()
    assert done.returncode == 0, done.stdout
    assert "SLURM-job '1' was not started by its node, and waits in the queue again" in done.stdout
    assert (noted / "requeued").read_text() == "1\n"
    assert not (noted / "2.args").exists()


def test_why_a_job_is_not_taken_is_said(cluster):
    _, noted, run = cluster
    (noted / "refuse").touch()
    done = run()
    assert done.returncode != 0
    assert "train-tranet-2 failed: SLURM sbatch failed." in done.stdout
    assert "invalid partition specified: gpus" in done.stdout
    assert "--wrap" not in done.stdout


@pytest.mark.parametrize(
    ("accounting", "queued", "expected"),
    [
        ({"1": "RUNNING", "2": "COMPLETED"}, None, {"1": "RUNNING", "2": "COMPLETED"}),
        ({"1": "CANCELLED by 1000"}, None, {"1": "CANCELLED"}),
        ({"1": "OUT_OF_MEMORY", "2": ""}, None, {"1": "OUT_OF_MEMORY"}),
        ({"1": "NODE_FAIL", "2": "RUNNING"}, {"1": "PENDING", "2": "RUNNING"}, {"1": "PENDING", "2": "RUNNING"}),
        ({"1": "NODE_FAIL"}, {}, {"1": "CANCELLED"}),
        ({"1": "NODE_FAIL"}, {"1": "NODE_FAIL"}, {"1": "CANCELLED"}),
        ({"1": "PREEMPTED"}, {"1": "PENDING"}, {"1": "PENDING"}),
        ({"1": "PREEMPTED"}, {}, {"1": "CANCELLED"}),
        (None, {"1": "RUNNING", "2": "FAILED"}, {"1": "RUNNING", "2": "FAILED"}),
        (None, None, {}),
    ],
)
def test_slurms_states_are_understood_as_slurm_means_them(monkeypatch, accounting, queued, expected):
    """Nothing for a job means that it is asked for again; `{}` keeps all jobs, and None would forget them."""
    accounts = str(query_job_status_sacct("run7"))

    async def silent(*_):
        return None

    monkeypatch.setattr(queue, "_answer", silent)

    async def asked(command, _):
        assert command in (accounts, query_job_status_squeue("run7"))
        answer = accounting if command == accounts else queued
        return answer, None if answer is None else 0.1

    plugin: Any = SimpleNamespace(query_job_status=asked, query_job_status_squeue=query_job_status_squeue)
    queue.adapt(plugin)
    states, seconds = asyncio.run(plugin.query_job_status(accounts, logging.getLogger()))
    assert states == expected
    assert seconds in (0.0, 0.1)


SHOWN = "JobId=1 JobState={} Requeue=1 StartTime=2026-11-29T21:38:51 PreemptEligibleTime=2026-11-29T21:38:51 {}"
EARLIER, LATER, NEVER = (f"PreemptTime={when}" for when in ("2026-11-29T21:30:00", "2026-11-29T21:39:07", "None"))


@pytest.mark.parametrize(
    ("state", "shown", "taken", "expected", "requeued"),
    [
        ("FAILED", SHOWN.format("FAILED", LATER), "", "PENDING", 1),
        ("PREEMPTED", SHOWN.format("PREEMPTED", LATER), "", "PENDING", 1),
        ("PREEMPTED", SHOWN.format("PREEMPTED", LATER), None, "CANCELLED", 1),
        ("NODE_FAIL", SHOWN.format("NODE_FAIL", NEVER), "", "PENDING", 1),
        ("NODE_FAIL", SHOWN.format("NODE_FAIL", NEVER), None, "CANCELLED", 1),
        ("FAILED", SHOWN.format("FAILED", NEVER), "", "FAILED", 0),
        ("FAILED", SHOWN.format("FAILED", EARLIER), "", "FAILED", 0),
        ("FAILED", SHOWN.format("PENDING", NEVER), "", "PENDING", 0),
        ("FAILED", SHOWN.format("COMPLETING", LATER), "", "COMPLETING", 0),
        ("FAILED", None, "", "FAILED", 0),
        ("COMPLETED", SHOWN.format("COMPLETED", LATER), "", "COMPLETED", 0),
        ("TIMEOUT", SHOWN.format("TIMEOUT", LATER), "", "TIMEOUT", 0),
    ],
)
def test_a_job_that_lost_its_node_is_put_back_and_no_other(monkeypatch, state, shown, taken, expected, requeued):
    """`shown` is what Slurm tells of the job, `taken` its answer to the wish to have it in the queue again."""
    wishes = []

    async def answer(*command):
        if "show" in command:
            return shown
        if command[0] == "squeue":
            return ""
        wishes.append(command)
        return taken

    async def asked(command, _):
        return ({"1": state} if "sacct" in command else {}), 0.1

    monkeypatch.setattr(queue, "_answer", answer)
    plugin: Any = SimpleNamespace(query_job_status=asked, query_job_status_squeue=query_job_status_squeue)
    queue.adapt(plugin)
    told = [
        asyncio.run(plugin.query_job_status(str(query_job_status_sacct("run7")), logging.getLogger()))
        for _ in range(2 if expected in ("FAILED", "CANCELLED") else 1)
    ]
    assert all(states == {"1": expected} for states, _ in told)
    assert wishes == [("scontrol", "requeue", "1")] * requeued


AWAY = "ReqNodeNotAvail, UnavailableNodes:node2"


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        *((reason, None) for reason in ("Priority", "Resources", "BeginTime", "QOSMaxGRESPerUser", AWAY)),
        *((reason, "scontrol release 9,12") for reason in (queue.NOT_STARTED, "JobHeldUser", "JobHoldMaxRequeue")),
        *(
            (reason, queue.ASK_ELSE)
            for reason in ("PartitionTimeLimit", "QOSMaxWallDurationPerJobLimit", "BadConstraints")
        ),
    ],
)
def test_what_a_job_waits_for_in_vain_is_told_once(monkeypatch, caplog, reason, advice):
    """Of jobs with this reason to wait, of which Slurm lets none go."""

    async def answer(*command):
        if command[:2] == ("scontrol", "release"):
            return None
        assert command[command.index("--name") + 1] == "run7"
        return f"7 Priority\n9 {reason}\n12 {reason}\n"

    monkeypatch.setattr(queue, "_answer", answer)
    waiting = queue.Waiting()
    for _ in range(3):
        asyncio.run(waiting.look("run7", logging.getLogger()))
    expected = [f"Slurm does not start 9,12 by itself ({reason}): {advice}"] if advice else []
    assert caplog.messages == expected


def test_a_job_that_no_node_starts_is_let_go_three_times_and_then_told_of(monkeypatch, caplog):
    asked = []

    async def answer(*command):
        asked.append(command)
        return "9 launch failed requeued held\n" if command[0] == "squeue" else ""

    monkeypatch.setattr(queue, "_answer", answer)
    waiting = queue.Waiting()
    for _ in range(6):
        asyncio.run(waiting.look("run7", logging.getLogger()))
    assert asked.count(("scontrol", "release", "9")) == 3
    assert [message.split()[0] for message in caplog.messages] == ["SLURM-job"] * 3 + ["Slurm"]


def test_a_command_that_is_missing_or_fails_is_no_answer():
    assert asyncio.run(queue._answer("no-such-command")) is None
    assert asyncio.run(queue._answer("false")) is None
    assert asyncio.run(queue._answer("echo", "JobState=FAILED")) == "JobState=FAILED\n"
