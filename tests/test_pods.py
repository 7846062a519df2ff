"""What Kubernetes is asked for a training, and that a pod which fails is one failed job and not the end of all."""

import cluster
import pytest
from projects import call, write_checkout
from test_machines import snakemake

from traunet.workspace import PROJECT

KUBERNETES = PROJECT / "profiles" / "kubernetes"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The jobs that the API was asked for one training whose first pod fails, and what Snakemake said."""
    checkout = write_checkout(tmp_path_factory.mktemp("pods") / "project")
    finished = call(checkout, "-m", "traunet", "finish", "1 2 3", "--profile", "smoke")
    assert finished.returncode == 0, finished.stdout
    mark = checkout / "build" / "smoke" / "done" / "train-tranet-2"
    mark.unlink()
    config = checkout / "kubernetes.json"
    quick = ("--until", "train", "--seconds-between-status-checks", "1", "--latency-wait", "5")
    with cluster.running(config, failing=1, finish=mark.touch) as server:
        done = snakemake(checkout, KUBERNETES, *quick, KUBECONFIG=str(config))
    return checkout, server.jobs, done


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


def test_a_pod_works_in_the_checkout_and_fetches_nothing(asked):
    checkout, jobs, _ = asked
    command = jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"][1]
    assert command.startswith(f"cd {checkout} && ")
    assert "pip install" not in command
    assert "--deploy-sources" not in command
    assert f"build={checkout}/build" in command
