"""A cluster for each measurement, and the tools that work on it: ours and the peer's."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

HERE = Path(__file__).parent


class Bench:
    """One server, on which many clusters are laid out one after the other; ``peer`` is the peer's Python."""

    def __init__(self, url: str, folder: Path, peer: Path) -> None:
        self._url, self._folder, self._number = url, folder, 0
        self._environ = {**os.environ, "KUBECONFIG": str(self._kubeconfig()), "BENCH": url}
        self._tools = {
            "ours": lambda place, what: (sys.executable, str(HERE / "compute.py"), place, what),
            "theirs": lambda place, what: (str(peer), str(HERE / "peer_compute.py"), what),
        }

    def measure(self, tool: str, what: str, **cluster: object) -> dict:
        """What ``tool`` ("ours", "theirs") printed of doing ``what`` on such a ``cluster``, and its state then."""
        self._number += 1
        place = self._folder / f"{self._number}"
        place.mkdir()
        self._ask("reset", cluster)
        command = self._tools[tool](str(place), what)
        with (place / "errors").open("wb") as errors:
            done = subprocess.run(
                command, cwd=place, env=self._environ, stdout=subprocess.PIPE, stderr=errors, timeout=300, check=False
            )
        if done.returncode:
            raise RuntimeError((place / "errors").read_text()[-2000:])
        return self._ask("state") | json.loads(done.stdout.splitlines()[-1])

    def _ask(self, what: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self._url}/bench/{what}", data), timeout=30) as answer:
            return json.load(answer)

    def _kubeconfig(self) -> Path:
        path = self._folder / "kubeconfig"
        names = {"name": "bench", "context": {"cluster": "bench", "user": "me"}}
        config = {"apiVersion": "v1", "kind": "Config", "contexts": [names], "current-context": "bench"}
        config["clusters"] = [{"name": "bench", "cluster": {"server": self._url}}]
        config["users"] = [{"name": "me", "user": {}}]
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def bench(folder: Path, peer: Path) -> Iterator[Bench]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "cluster.py"), str(port)])
    try:
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Bench(f"http://127.0.0.1:{port}", folder, peer)
    finally:
        process.kill()
        process.wait()
