"""What tests of the web view stand on: a server on loopback, a clock whose hands are set, and a played drill."""

import http.client
import json
import os
import shutil
import struct
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import sleep
from types import SimpleNamespace

from blackstart.observer.record import RECORD
from blackstart.web import serving
from blackstart.web.app import Site

HOST = "127.0.0.1"
CUT = {"changes.jsonl": "monotonic", "events.jsonl": "at", "found.jsonl": "at"}


class Hands:
    """A clock that stands at ``seconds`` after the planted drills began; waiting for it takes a moment of real time.

    ``tick``: how far it creeps each time that it is asked, so that what is kept for a while is not kept for ever.
    """

    def __init__(self, planted, seconds, tick=0.0):
        self._planted = planted
        self.seconds = seconds
        self._tick = tick
        self._crept = 0.0

    def now(self):
        return self._planted.STARTED + timedelta(seconds=self.seconds)

    def monotonic(self):
        self._crept += self._tick
        return self._planted.ORIGIN + self.seconds + self._crept

    def sleep(self, seconds):
        sleep(0.02)

    async def pause(self, seconds):
        import asyncio

        await asyncio.sleep(0.02)


@contextmanager
def served(root, clock):
    """The site of ``root``, answering at ``url`` until the block ends."""
    site = Site.of(Path(root), clock)
    listening = serving.bound(HOST, 0)
    port = listening.getsockname()[1]
    server = serving.server(site, HOST)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield SimpleNamespace(site=site, port=port, url=f"http://{HOST}:{port}", server=server, thread=thread)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def asked(port, path, method="GET", **headers):
    """(status, headers, text) of one request on a connection of its own, with ``path`` exactly as it is."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def played(planted, whole, folder, until):
    """Make ``folder`` what the drill of the journal ``whole`` had written ``until`` seconds after its start."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in whole.iterdir():
        if path.name in CUT:
            key, limit = CUT[path.name], until + (planted.ORIGIN if CUT[path.name] == "monotonic" else 0)
            lines = path.read_text().splitlines(keepends=True)
            (folder / path.name).write_text("".join(line for line in lines if json.loads(line)[key] <= limit))
        elif path.name == "samples.bin":
            rows = struct.Struct(RECORD.format).iter_unpack(path.read_bytes())
            kept = [row for row in rows if (row[2] + row[3]) / 1e6 <= until]
            (folder / path.name).write_bytes(b"".join(RECORD.pack(*row) for row in kept))
        elif path.name not in ("restoration.json", "journal.json", "report.html"):
            shutil.copy(path, folder / path.name)
    written(planted, folder, until)


def written(planted, folder, at):
    """Date all files of a journal ``at`` seconds after its start."""
    moment = planted.STARTED.timestamp() + at
    for path in folder.iterdir():
        os.utime(path, (moment, moment))
