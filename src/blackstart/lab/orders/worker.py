"""The worker: takes orders from the queue and files a receipt for each in S3, under ``receipts/<key>``.

A message is deleted only after its receipt is stored. The same order twice gives the same object, so nothing breaks
when the queue delivers again. GET /readyz: the process works; GET /healthz: the queue and the bucket answered when last
asked, else 503.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from blackstart.errors import ServiceUnreachable
from blackstart.lab.orders.aws import AwsAccess, SignedClient
from blackstart.lab.serving import answering

TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 2
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0

_log = logging.getLogger("blackstart.lab.orders")


@dataclass(frozen=True)
class WorkerSpec:
    """One worker pod: where it tells its health, who it is, the queue it empties and the bucket it fills."""

    host: str
    port: int
    pod: str
    node: str
    region: str
    zone: str
    aws_url: str
    queue_url: str
    bucket: str


async def serve(spec: WorkerSpec) -> None:
    """Work until cancelled. OSError if the port is taken."""
    access = AwsAccess(spec.aws_url, spec.region, agent=f"orders-worker/{spec.region}")
    async with SignedClient(access, TIMEOUT_SECONDS) as aws:
        worker = Worker(spec, aws)
        async with answering(worker.application(), spec.host, spec.port):
            await worker.work_forever()


class Worker:
    """Receives, files, deletes."""

    def __init__(self, spec: WorkerSpec, aws: SignedClient) -> None:
        self._spec = spec
        self._aws = aws
        self._problem = "the queue was not asked yet"

    def application(self) -> web.Application:
        """What the worker answers about itself."""
        app = web.Application()
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/healthz", self._healthz)
        return app

    async def work_forever(self) -> None:
        """Take batch after batch; when AWS is away, try again ever more slowly, but at least every second."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._work_once()
            except ServiceUnreachable as error:
                if not self._problem:
                    _log.warning("receipts wait: %s", error)
                self._problem = str(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                self._problem = ""
                pause = FIRST_PAUSE_SECONDS

    async def _work_once(self) -> None:
        asked = {"QueueUrl": self._spec.queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": POLL_SECONDS}
        answer = await self._aws.sqs("ReceiveMessage", asked, wait_seconds=POLL_SECONDS)
        messages: Sequence[dict[str, Any]] = answer.get("Messages") or ()
        if not messages:
            return
        await asyncio.gather(*(self._file(message["Body"]) for message in messages))
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        await self._aws.sqs("DeleteMessageBatch", {"QueueUrl": self._spec.queue_url, "Entries": entries})

    async def _file(self, body: str) -> None:
        try:
            order = json.loads(body)
            key = str(order["key"])
        except (ValueError, TypeError, KeyError):
            _log.error("dropped a message that is no order: %.200s", body)
            return
        await self._aws.put_object(self._spec.bucket, f"receipts/{key}", json.dumps(order).encode())

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _healthz(self, _: web.Request) -> web.Response:
        if self._problem:
            return web.json_response({"error": self._problem}, status=503)
        return web.json_response({"ok": True})
