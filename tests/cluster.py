"""The little of Kubernetes' API that Snakemake's plugin calls, on this machine; it notes jobs and runs none."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Cluster(ThreadingHTTPServer):
    """A server whose first `failing` jobs fail; `finish` is called for one that succeeds, in place of its pod."""

    def __init__(self, failing: int, finish: Callable[[], object]) -> None:
        super().__init__(("127.0.0.1", 0), Calls)
        self.failing, self.finish = failing, finish
        self.jobs: list[dict] = []

    def exit_code(self, name: str) -> int:
        return int([job["metadata"]["name"] for job in self.jobs].index(name) < self.failing)


class Calls(BaseHTTPRequestHandler):
    server: Cluster

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/jobs"):
            self.server.jobs.append(body)
            if len(self.server.jobs) > self.server.failing:
                self.server.finish()
        self.answer(body)

    def do_GET(self):
        place, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if place.endswith("/status"):
            code = self.server.exit_code(place.split("/")[-2])
            self.answer({"status": {"failed": 1} if code else {"succeeded": 1}})
        elif place.endswith("/log"):
            # As the kubelet does: a pod that never restarted has no container before this one.
            previous = asked.get("previous", ["false"])[0].lower() == "true"
            said = "previous terminated container not found" if previous else "what the pod said"
            self.answer(said, 400 if previous else 200)
        else:
            self.answer({"items": [self.pod(asked["labelSelector"][0].removeprefix("job-name="))]})

    def do_DELETE(self):
        self.answer({})

    def pod(self, job: str) -> dict:
        ended = {"terminated": {"exitCode": self.server.exit_code(job)}}
        state = {
            "name": "snakemake",
            "state": ended,
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
        }
        return {"metadata": {"name": f"pod-{job}"}, "status": {"containerStatuses": [state]}}

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
def running(config: Path, failing: int, finish: Callable[[], object]) -> Iterator[Cluster]:
    """A cluster at work; `config` is written for kubectl and the plugin."""
    with Cluster(failing, finish) as cluster:
        threading.Thread(target=cluster.serve_forever, daemon=True).start()
        server = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{cluster.server_port}"}}
        context = {"name": "here", "context": {"cluster": "here", "user": "me"}}
        settings = {"clusters": [server], "contexts": [context], "users": [{"name": "me", "user": {}}]}
        config.write_text(
            json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "here", **settings})
        )
        yield cluster
        cluster.shutdown()
