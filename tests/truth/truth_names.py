"""A DNS server whose answers change, in the planted server's own loop, with a log of what it told whom when."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from dnslib import QTYPE, RR, A, DNSRecord
from truth_plan import Plan


class Names(asyncio.DatagramProtocol):
    """Answers ``plan.name``; ``told``: (moment, addresses) of every answer with an address, monotonic seconds."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.addresses = plan.turns[0].addresses if plan.turns else ()
        self.told: list[tuple[float, tuple[str, ...]]] = []

    async def listen(self) -> int:
        """Its port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return int(transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = DNSRecord.parse(data)
        reply = asked.reply()
        if asked.q.qtype == QTYPE.A and str(asked.q.qname) == self._plan.name + ".":
            for each in self.addresses:
                reply.add_answer(RR(asked.q.qname, QTYPE.A, rdata=A(each), ttl=self._plan.ttl))
            self.told.append((time.monotonic(), self.addresses))
        else:
            reply.header.rcode = 3
        self._transport.sendto(reply.pack(), addr)
