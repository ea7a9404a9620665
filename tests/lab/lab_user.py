"""A user of the lab, independent of everything else: asks the lab's DNS server, then posts orders."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import dns.message
import dns.query
import dns.rdatatype

from blackstart.lab.status import Status


def resolve(lab: Status, name: str = "") -> str:
    """The address that the lab's DNS server gives now."""
    host, _, port = lab.endpoints.dns.partition(":")
    question = dns.message.make_query(name or lab.endpoints.service, dns.rdatatype.A)
    answer = dns.query.udp(question, host, port=int(port), timeout=2)
    return str(answer.answer[0][0])


@dataclass(frozen=True)
class Answer:
    """``status`` 0: no answer in time. ``at`` is when it came, on the monotonic clock."""

    status: int
    region: str
    zone: str
    pod: str
    at: float


async def order(lab: Status, seconds: float = 2.0, key: str = "") -> Answer:
    """Post one order to wherever the name leads now."""
    address = await asyncio.to_thread(resolve, lab)
    body = {"key": key or f"test-{uuid.uuid4()}", "item": 1, "quantity": 1}
    url = f"http://{address}:{lab.endpoints.port}/orders"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
            session.post(url, json=body) as answer,
        ):
            told = answer.headers
            return Answer(
                answer.status, told.get("x-region", ""), told.get("x-zone", ""), told.get("x-pod", ""), time.monotonic()
            )
    except (aiohttp.ClientError, TimeoutError):
        return Answer(0, "", "", "", time.monotonic())


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until ``condition`` holds; it may block for a moment."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def until_served(lab: Status, region: str, seconds: float = 30.0) -> float:
    """Wait until an order is taken in ``region``; how long that took, in seconds."""
    began = time.monotonic()
    while True:
        answer = await order(lab)
        if answer.status == 201 and answer.region == region:
            return answer.at - began
        assert time.monotonic() - began < seconds, f"no order was taken in {region} for {seconds} s"
        await asyncio.sleep(0.05)
