"""moto's server in a process of its own, for tests in several folders.

What it does not do as AWS does: a client token makes nothing idempotent, a network ACL's ``DryRun`` changes things, and
a stale association id is a server error.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ONE_CALL_AT_A_TIME = (str(Path(__file__).parent / "moto_process.py"),)


@contextmanager
def running(folder: Path, arguments: Sequence[str] = ONE_CALL_AT_A_TIME) -> Iterator[str]:
    """Its URL; its output goes to ``folder``. ``arguments`` of Python, but for the port, which comes last."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *arguments, str(port)]
    with (folder / "moto.log").open("wb") as output:
        # Its list of machine images takes seconds to load, and again after every reset.
        quick = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=quick)
        try:
            _wait(url)
            yield url
        finally:
            process.kill()
            process.wait()


def forget(url: str) -> None:
    """Everything that was made is gone."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10).close()


def environ(url: str) -> dict[str, str]:
    """What points an AWS client at it."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"moto did not come up at {url}")
