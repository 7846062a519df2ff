"""What Snakemake's Kubernetes plugin (0.5.1) takes for granted, and is otherwise where pods share a volume.

It is the same plugin; two of its answers are corrected before it starts. `tests/test_pods.py` holds both against a
small API server, so that another version of the plugin does not pass unseen.
"""

import sys


def adapt() -> None:
    """Let Snakemake's Kubernetes jobs work on a volume that all pods mount, and outlive a job that fails.

    Where Snakemake has not loaded the plugin no job needs it, and its client takes most of a second to load.
    """
    plugin = sys.modules.get("snakemake_executor_plugin_kubernetes")
    if plugin is None:
        return
    # It declares that no file system is shared: every file would go through a storage service, and every pod would
    # fetch unpinned packages for that. Here every pod mounts one volume: the checkout, .venv, data and build/.
    plugin.common_settings.implies_no_shared_fs = False
    plugin.common_settings.job_deploy_sources = False
    _read_the_log_that_there_is(plugin.kubernetes.client.CoreV1Api)


def _read_the_log_that_there_is(api: type) -> None:
    """Of a failed pod it asks for the log of the container before, which a pod that never restarts does not have.

    The API then answers 400, which would end the whole workflow instead of the one job.
    """
    read = api.read_namespaced_pod_log
    if getattr(read, "adapted", False):
        return

    def read_namespaced_pod_log(self, *given, previous=None, **named):
        return read(self, *given, **named)

    read_namespaced_pod_log.adapted = True
    api.read_namespaced_pod_log = read_namespaced_pod_log
