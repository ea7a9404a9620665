"""How committed orders reach the queue: at once in the background, and again every second until it has them.

The orders table is the outbox, so nothing that was committed is lost while SQS is away or when the pod dies. An order
may be sent twice; who receives must not mind.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

from blackstart.errors import ServiceUnreachable
from blackstart.lab.orders.aws import SignedClient
from blackstart.lab.orders.store import Order, Store

BATCH = 10  # what SQS takes at once
WAITING_MOST = 1000
SWEEP_SECONDS = 1.0
SWEEP_MOST = 100
# While the queue is away, no attempt for every single order.
REST_SECONDS = 0.5

_log = logging.getLogger("blackstart.lab.orders")


class Outbox:
    """Sends orders to ``queue_url``; run ``send_forever`` and ``sweep_forever`` as tasks beside the service."""

    def __init__(self, store: Store, aws: SignedClient, queue_url: str) -> None:
        self._store = store
        self._aws = aws
        self._queue_url = queue_url
        self._waiting: asyncio.Queue[Order] = asyncio.Queue(WAITING_MOST)
        self._reachable = True

    def offer(self, order: Order) -> None:
        """Have ``order`` sent soon. Never waits: when too many wait already, the sweep will send it."""
        try:
            self._waiting.put_nowait(order)
        except asyncio.QueueFull:
            return

    async def send_forever(self) -> None:
        """Send what is offered."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._try(self._send(batch))
            if not self._reachable:
                await asyncio.sleep(REST_SECONDS)

    async def sweep_forever(self, is_writer: Callable[[], bool]) -> None:
        """Send what was left behind, while the database takes writes."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if is_writer():
                await self._try(self._sweep())

    async def _sweep(self) -> None:
        left = await self._store.claim_unsent(SWEEP_MOST if self._reachable else BATCH)
        for start in range(0, len(left), BATCH):
            await self._send(left[start : start + BATCH])

    async def _send(self, orders: Sequence[Order]) -> None:
        entries = [{"Id": str(n), "MessageBody": json.dumps(asdict(order))} for n, order in enumerate(orders)]
        answer = await self._aws.sqs("SendMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
        taken = [orders[int(entry["Id"])].key for entry in answer.get("Successful", ())]
        if taken:
            await self._store.mark_sent(taken)

    async def _try(self, act: Awaitable[None]) -> None:
        """Do ``act``; what fails is left to a later sweep."""
        try:
            await act
        except ServiceUnreachable as error:
            if self._reachable:
                _log.warning("orders stay in the outbox: %s", error)
            self._reachable = False
        else:
            self._reachable = True
