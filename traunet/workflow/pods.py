"""What Snakemake's Kubernetes plugin (0.5.1) takes for granted, and is otherwise; seen on Kubernetes 1.20."""

import re
import sys
import time
from typing import Any

LEFT = "was not deleted"  # what is said of a job that Ctrl-C could not cancel
TRIES, PAUSE = 3, 2  # of a deletion, and the seconds between two


def adapt(plugin: Any) -> None:
    """Let jobs work on a volume that all pods mount, and let pods and the API fail without losing a job, or all.

    The plugin declares that no file system is shared: every file would go through a storage service, and every pod
    would fetch unpinned packages for that. Here every pod mounts one volume: the checkout, .venv, data and build/.
    """
    client = plugin.kubernetes.client
    plugin.common_settings.implies_no_shared_fs = False
    plugin.common_settings.job_deploy_sources = False
    _read_the_log_that_there_is(client.CoreV1Api)
    _see_the_last_pod(client.CoreV1Api)
    _tolerate_every_spelling(client.BatchV1Api)
    _see_that_a_job_is_gone(client.BatchV1Api, client.rest.ApiException)
    _ask_after_each_job_alone(plugin.Executor)
    _fail_one_job_that_is_not_taken(plugin)
    _delete_a_job_with_its_pods(plugin.Executor, client)
    _cancel_all(plugin.Executor)
    # It makes a secret for variables that jobs need. Ours need none; where nothing is to be done it stays behind.
    plugin.Executor.register_secret = plugin.Executor.unregister_secret = lambda self: None


def _read_the_log_that_there_is(api: Any) -> None:
    """Of a failed pod it asks for the log of the container before, which a pod that never restarts does not have.

    The API then answers 400, which would end the whole workflow instead of the one job.
    """
    read = api.read_namespaced_pod_log

    def read_namespaced_pod_log(self, *given, previous=None, **named):
        return read(self, *given, **named)

    api.read_namespaced_pod_log = read_namespaced_pod_log


def _see_the_last_pod(api: Any) -> None:
    """It ends the workflow if a job has two pods. Where one is deleted, the next is there before it is gone.

    And it never tells that a pod waits for a node which no cluster of this size has.
    """
    read, told = api.list_namespaced_pod, set()

    def list_namespaced_pod(self, *given, **named):
        pods = read(self, *given, **named)
        pods.items = sorted(pods.items, key=lambda pod: pod.metadata.creation_timestamp)[-1:]
        for condition in (one for pod in pods.items for one in pod.status.conditions or ()):
            kind = re.sub(r"\d+", "", condition.message or "")  # as counts of nodes change, it is no other
            if condition.reason == "Unschedulable" and kind not in told:
                told.add(kind)
                print(f"a pod waits for a node: {condition.message}", file=sys.stderr, flush=True)
        return pods

    api.list_namespaced_pod = list_namespaced_pod


def _tolerate_every_spelling(api: Any) -> None:
    """It tolerates nodes whose taint nvidia.com/gpu has the value `present`, as Google's have, and no other."""
    create = api.create_namespaced_job

    def create_namespaced_job(self, namespace, body, *given, **named):
        for toleration in body.spec.template.spec.tolerations or ():
            toleration.operator, toleration.value = "Exists", None
        return create(self, namespace, body, *given, **named)

    api.create_namespaced_job = create_namespaced_job


def _see_that_a_job_is_gone(api: Any, refused: Any) -> None:
    """A job that somebody deleted has failed: the plugin would say so of None, but the API answers 404."""
    read = api.read_namespaced_job_status

    def read_namespaced_job_status(self, *given, **named):
        try:
            return read(self, *given, **named)
        except refused as error:
            if error.status == 404:
                return None
            raise

    api.read_namespaced_job_status = read_namespaced_job_status


def _ask_after_each_job_alone(executor: Any) -> None:
    """One answer that fails must not keep the others' from being heard."""
    check = executor.check_active_jobs

    async def check_active_jobs(self, active_jobs):
        for job in active_jobs:
            try:
                async for one in check(self, [job]):
                    yield one
            except Exception as error:
                self.logger.error(
                    f"{job.external_jobid}: Kubernetes does not answer, and is asked again: {error!r}"
                )

    executor.check_active_jobs = check_active_jobs


def _fail_one_job_that_is_not_taken(plugin: Any) -> None:
    """A submission that the API does not take, busy as it may be, would end the whole workflow."""
    run = plugin.Executor.run_job

    def run_job(self, job):
        try:
            run(self, job)
        except plugin.WorkflowError as error:
            self.report_job_error(plugin.SubmittedJobInfo(job), msg=f"it was not taken: {error}")

    plugin.Executor.run_job = run_job


def _delete_a_job_with_its_pods(executor: Any, client: Any) -> None:
    """It deletes the pod first, whereupon the cluster makes the job another, and then the job, but not that pod.

    It does say that pods go with their job, but beside the call's body; if there is one the API looks only there.
    """

    def safe_delete_job(self, jobid, ignore_not_found=True):
        try:
            options = client.V1DeleteOptions(propagation_policy="Background")
            self.batchapi.delete_namespaced_job(jobid, self.namespace, body=options)
        except client.rest.ApiException as error:
            if error.status != 404:
                raise

    executor.safe_delete_job = safe_delete_job


def _cancel_all(executor: Any) -> None:
    """One answer that fails, as a busy API's may, must not leave the other jobs at work."""

    def cancel_jobs(self, active_jobs):
        for job in active_jobs:
            for _ in range(TRIES):
                try:
                    self.safe_delete_job(job.external_jobid)
                    break
                except Exception as error:
                    reason = error
                    time.sleep(PAUSE)
            else:
                again = f"kubectl delete job {job.external_jobid} --namespace {self.namespace}"
                self.logger.error(f"{job.external_jobid} {LEFT}; do it: {again} ({reason!r})")

    executor.cancel_jobs = cancel_jobs
