"""Chromium, and a local server for it: to print the site, and to look at it as its reader does."""

import functools
import http.server
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Only pages that this project wrote are opened; a sandbox of its own needs rights that containers lack.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
MISSING = (
    "no Chromium found (looked for {names} in PATH); install it, on Debian with: apt-get install chromium, on "
    "Ubuntu with: snap install chromium, or name another in TRAUNET_CHROMIUM"
)


class NoBrowserError(OSError):
    """There is no Chromium here; the message says how to get one."""


def browser_path() -> str:
    """Where Chromium lies: what TRAUNET_CHROMIUM names, or the first of its usual names. Raises NoBrowserError."""
    wanted = os.environ.get("TRAUNET_CHROMIUM")
    found = [path for path in map(shutil.which, [wanted] if wanted else NAMES) if path]
    if not found:
        raise NoBrowserError(MISSING.format(names=wanted or ", ".join(NAMES)))
    return found[0]


@contextmanager
def browser() -> Iterator["Browser"]:
    """An opened Chromium, closed in the end. Raises NoBrowserError."""
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        try:
            yield opened
        finally:
            opened.close()


class _Files(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *given, first: str, **named):
        self.first = first
        super().__init__(*given, **named)

    def send_head(self):
        if self.path.startswith(self.first):
            return super().send_head()
        self.send_error(http.HTTPStatus.NOT_FOUND)
        return None

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix(self.first))

    def log_message(self, *_) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_) -> None:
        """A browser that leaves before it has all is no matter."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine only; yields its address, with a slash at the end.

    The address begins with a part that nobody can guess: other users of this machine may reach the server too.
    """
    first = f"/{secrets.token_urlsafe(16)}/"
    server = _Server(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder), first=first))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{first}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
