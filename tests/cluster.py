"""The little of Kubernetes' API that Snakemake's plugin calls, on this machine; it notes jobs and runs none."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Cluster(ThreadingHTTPServer):
    """A server whose first `failing` jobs fail; `finish` is called for one that succeeds, in place of its pod.

    `trouble` is how often it does not take a job (`full`), knows none that is asked for (`gone`) or does not
    answer (`busy`).
    """

    def __init__(self, failing: int, finish: Callable[[], object], **trouble: int) -> None:
        super().__init__(("127.0.0.1", 0), Calls)
        self.failing, self.finish, self.trouble = failing, finish, trouble
        self.jobs: list[dict] = []
        self.calls: list[tuple[str, str, dict]] = []  # method, path and body of each

    def has(self, trouble: str) -> bool:
        """Whether there is such trouble once more."""
        self.trouble[trouble] = self.trouble.get(trouble, 0) - 1
        return self.trouble[trouble] >= 0

    def exit_code(self, name: str) -> int:
        return int([job["metadata"]["name"] for job in self.jobs].index(name) < self.failing)


class Calls(BaseHTTPRequestHandler):
    server: Cluster

    def body(self) -> dict:
        """What was sent along; every call is noted."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        self.server.calls.append((self.command, urlsplit(self.path).path, body))
        return body

    def do_POST(self):
        body = self.body()
        if self.path.endswith("/jobs"):
            if self.server.has("full"):
                return self.answer("timed out", 504)
            self.server.jobs.append(body)
            if len(self.server.jobs) > self.server.failing:
                self.server.finish()
        self.answer(body)

    def do_GET(self):
        self.body()
        place, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if place.endswith("/status") and self.server.has("busy"):
            self.answer("later", 503)
        elif place.endswith("/status") and self.server.has("gone"):
            self.answer("no such job", 404)
        elif place.endswith("/status"):
            code = self.server.exit_code(place.split("/")[-2])
            self.answer({"status": {"failed": 1} if code else {"succeeded": 1}})
        elif place.endswith("/log"):
            # As the kubelet does: a pod that never restarted has no container before this one.
            previous = asked.get("previous", ["false"])[0].lower() == "true"
            said = "previous terminated container not found" if previous else "what the pod said"
            self.answer(said, 400 if previous else 200)
        else:
            # The second is there because somebody deleted the first, which takes half a minute to go.
            job = asked["labelSelector"][0].removeprefix("job-name=")
            ended = {"terminated": {"exitCode": self.server.exit_code(job)}}
            self.answer({"items": [self.pod(job, 2, ended), self.pod(job, 1, {"running": {}})]})

    def do_DELETE(self):
        self.body()
        self.answer({})

    def pod(self, job: str, second: int, ended: dict) -> dict:
        state = {
            "name": "snakemake",
            "state": ended,
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
        }
        waits = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "too little memory",
        }
        born = {"name": f"pod-{job}-{second}", "creationTimestamp": f"2026-11-29T12:00:0{second}Z"}
        return {"metadata": born, "status": {"containerStatuses": [state], "conditions": [waits]}}

    def answer(self, what: object, code: int = 200) -> None:
        text = what if isinstance(what, str) else json.dumps(what)
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(what, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        """Say nothing."""


@contextmanager
def running(config: Path, failing: int, finish: Callable[[], object], **trouble: int) -> Iterator[Cluster]:
    """A cluster at work; `config` is written for kubectl and the plugin."""
    with Cluster(failing, finish, **trouble) as cluster:
        threading.Thread(target=cluster.serve_forever, daemon=True).start()
        server = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{cluster.server_port}"}}
        context = {"name": "here", "context": {"cluster": "here", "user": "me"}}
        settings = {"clusters": [server], "contexts": [context], "users": [{"name": "me", "user": {}}]}
        config.write_text(
            json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "here", **settings})
        )
        yield cluster
        cluster.shutdown()
