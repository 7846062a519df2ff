"""What Kubernetes is asked for a training, and that a pod which fails is one failed job and not the end of all."""

import logging
from types import SimpleNamespace
from typing import Any

import cluster
import pytest
from projects import finished_checkout
from test_machines import snakemake

from traunet.workflow import flow, pods
from traunet.workspace import PROJECT

KUBERNETES = PROJECT / "profiles" / "kubernetes"
QUICK = ("--until", "train", "--seconds-between-status-checks", "1", "--latency-wait", "5")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the project in which every training is done."""
    return finished_checkout(tmp_path_factory.mktemp("pods") / "project")


def train_again(checkout, *more, failing=0, **trouble):
    """Let one training be done again by a cluster with trouble: the cluster, and what Snakemake said."""
    mark = checkout / "build" / "smoke" / "done" / "train-tranet-2"
    mark.unlink(missing_ok=True)
    config = checkout / "kubernetes.json"
    with cluster.running(config, failing, mark.touch, **trouble) as server:
        done = snakemake(checkout, KUBERNETES, *QUICK, *flow.QUIET, *more, KUBECONFIG=str(config))
    return server, done


@pytest.fixture(scope="module")
def again(finished):
    """One training whose first pod fails."""
    return train_again(finished, failing=1)


@pytest.fixture
def asked(finished, again):
    """The jobs that the API was asked for it, and what Snakemake said."""
    server, done = again
    return finished, server.jobs, done


def test_a_failed_pod_is_tried_again_with_more_memory_and_its_log_is_kept(asked):
    checkout, jobs, done = asked
    assert done.returncode == 0, done.stdout
    memory = [job["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] for job in jobs]
    assert memory == ["24000M", "48000M"]
    logs = list((checkout / ".snakemake").rglob("kubernetes-logs/*.log"))
    assert [log.read_text().strip() for log in logs] == ["what the pod said"]


def test_a_training_pod_gets_its_gpu_within_limits_cores_and_the_volume(asked):
    _, jobs, _ = asked
    pod = jobs[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    wanted = container["resources"]
    assert wanted["limits"]["nvidia.com/gpu"] == wanted["requests"]["nvidia.com/gpu"] == "1"
    assert wanted["limits"]["cpu"] == "8000m"
    assert {"name": "traunet", "mountPath": "/traunet"} in container["volumeMounts"]
    assert {"name": "traunet", "persistentVolumeClaim": {"claimName": "traunet"}} in pod["volumes"]
    assert pod["restartPolicy"] == "Never"


def test_a_training_pod_is_let_on_to_nodes_for_gpus_however_their_taint_is_spelt(asked):
    """GKE taints them with the value `present`, others with `true` or none."""
    _, jobs, _ = asked
    tolerated = jobs[0]["spec"]["template"]["spec"]["tolerations"]
    assert tolerated == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_pod_works_in_the_checkout_and_fetches_nothing(asked):
    checkout, jobs, _ = asked
    command = jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"][1]
    assert command.startswith(f"cd {checkout} && ")
    assert "pip install" not in command
    assert "--deploy-sources" not in command
    assert f"build={checkout}/build" in command


def test_a_failed_pod_is_told_with_where_its_log_is_and_why_one_waits(asked):
    checkout, _, done = asked
    assert f"train-tranet-2 failed\n  what the cluster said: {checkout}/.snakemake" in done.stdout
    assert done.stdout.count("a pod waits for a node: too little memory") == 1


def test_a_job_is_deleted_with_its_pods_and_no_secret_is_made(again):
    server, _ = again
    deleted = [(path, body) for method, path, body in server.calls if method == "DELETE"]
    assert len(deleted) == 2
    for path, body in deleted:
        assert "/jobs/snakejob-" in path
        assert body["propagationPolicy"] == "Background"
    assert not any("secret" in path for _, path, _ in server.calls)


def test_an_api_that_fails_costs_one_attempt_at_most_and_no_job_is_forgotten(finished):
    server, done = train_again(finished, "--retries", "2", full=1, gone=1, busy=1)
    assert done.returncode == 0, done.stdout
    assert len(server.jobs) == 2
    assert "train-tranet-2 failed: it was not taken" in done.stdout
    assert "train-tranet-2 failed: Unknown job snakejob-" in done.stdout
    assert max(server.trouble.values()) <= 0  # all of it came
    assert (finished / "build" / "smoke" / "done" / "train-tranet-2").exists()


def test_a_deletion_that_fails_once_or_for_good_does_not_leave_the_others_at_work(monkeypatch, caplog):
    tried: list[str] = []

    class Executor:
        namespace, logger = "lab", logging.getLogger("pods")

        def safe_delete_job(self, jobid):
            tried.append(jobid)
            if jobid == "stuck" or (jobid == "busy" and tried.count(jobid) == 1):
                raise OSError("503")

    monkeypatch.setattr(pods, "PAUSE", 0)
    pods._cancel_all(Executor)
    one: Any = Executor()
    one.cancel_jobs([SimpleNamespace(external_jobid=name) for name in ("busy", "stuck", "last")])
    assert tried == ["busy", "busy", "stuck", "stuck", "stuck", "last"]
    said = [record.message for record in caplog.records]
    assert len(said) == 1
    assert "stuck was not deleted; do it: kubectl delete job stuck --namespace lab" in said[0]
