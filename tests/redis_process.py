"""A real Redis in a process of its own, for tests in several folders."""

import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import redis

from blackstart.clock import SystemClock
from blackstart.lab.binaries import redis_server


class RedisProcess:
    """A server; ``client`` talks to it. It can be started again on the same port."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"redis://127.0.0.1:{self.port}"
        self.client = redis.Redis(port=self.port, protocol=2)
        self._folder = tempfile.TemporaryDirectory(prefix="blackstart-redis-")  # for what it sends to replicas
        self._start()

    def restart(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.client.close()

    def forget(self) -> None:
        self._folder.cleanup()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def read(self, names: Iterable[int]) -> None:
        """As a service does: what is not there is put there."""
        for number in names:
            if self.client.get(f"product:{number}") is None:
                self.client.set(f"product:{number}", "x")

    def _start(self) -> None:
        quick = ["--save", "", "--repl-diskless-sync-delay", "0", "--dir", self._folder.name]
        command = [str(redis_server()), "--port", str(self.port), "--bind", "127.0.0.1", *quick]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1000):
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                SystemClock().sleep(0.01)
        raise TimeoutError("redis did not come up")


@contextmanager
def running() -> Iterator[RedisProcess]:
    server = RedisProcess()
    try:
        yield server
    finally:
        server.end()
        server.forget()
