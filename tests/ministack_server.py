"""ministack in a process of its own, as the lab starts it, for tests of what moto lacks: global databases.

What it does not do as AWS does: a fail-over or switch-over of a global database is over at once, the old writer needs
no rebuilding, and any member may be switched to.
"""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blackstart.lab.aws import ministack


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its URL; it writes only below ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv, environment = ministack.command("127.0.0.1", port, folder)
    process = subprocess.Popen(argv, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}{ministack.HEALTH_PATH}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"ministack did not come up at {url}")
