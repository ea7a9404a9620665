"""HTTP/1.1 against a server that says exactly what a test wants, on real sockets."""

import asyncio
import errno
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest

from blackstart.observer.dialer import Attempt, Dialer
from blackstart.observer.record import Cause, Outcome
from blackstart.observer.request import judged, reason, unanswered
from blackstart.observer.schedule import Kind

SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


class Scripted:
    """Answers request ``n`` of connection ``c`` with what ``script(c, n)`` says; None: closes instead."""

    def __init__(self, script: Callable[[int, int], bytes | None], closes: bool = False) -> None:
        self._script = script
        self._closes = closes
        self.connections = 0
        self.requests = []
        self.ended = asyncio.Event()

    async def serve(self, reader, writer):
        number, request = self.connections, 0
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append((number, head.split(b" ")[0].decode()))
                answer = self._script(number, request)
                request += 1
                if answer is None:
                    break
                writer.write(answer)
                if self._closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionResetError):
            self.ended.set()
        finally:
            writer.close()


@asynccontextmanager
async def scripted(script, closes=False):
    server = Scripted(script, closes)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    dialer = Dialer("127.0.0.1", listener.sockets[0].getsockname()[1])
    try:
        yield server, lambda method="GET": asyncio.wait_for(dialer.send("127.0.0.1", method, "/", Attempt()), 5)
    finally:
        await dialer.close()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "status", "body", "closes"),
    [
        (SHORT, 200, b"ok", False),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", 200, b"to the end", True),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
            False,
        ),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + SHORT, 200, b"ok", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", False),
        (b"HTTP/1.1 503 Oops\r\ncontent-length: 0\r\nx-empty:\r\n\r\n", 503, b"", False),
    ],
)
def test_answers_of_every_shape_are_read_to_their_end(answer, status, body, closes):
    async def drill():
        async with scripted(lambda connection, request: answer, closes) as (server, send):
            replies = [await send() for _ in range(2)]
            return replies, server.connections

    replies, connections = asyncio.run(drill())
    assert [(reply.status, reply.body) for reply in replies] == [(status, body)] * 2
    assert connections == (2 if closes else 1)


@pytest.mark.parametrize("answer", [b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"])
def test_what_is_no_whole_answer_is_none(answer):
    async def drill():
        async with scripted(lambda connection, request: answer, closes=True) as (_, send):
            await send()

    with pytest.raises(OSError, match="answer"):
        asyncio.run(drill())


def test_a_read_is_sent_again_when_its_kept_connection_had_been_closed_and_a_write_is_not():
    def script(connection, request):
        return None if request == 1 else SHORT

    async def drill():
        async with scripted(script) as (server, send):
            await send()
            reply = await send()
            with pytest.raises(ConnectionResetError):
                await send("POST")
            return reply.status, server.requests

    status, requests = asyncio.run(drill())
    assert status == 200
    assert requests == [(0, "GET"), (0, "GET"), (1, "GET"), (1, "POST")]


def test_a_fresh_connection_that_is_closed_unanswered_is_a_failure_and_is_tried_once():
    async def drill():
        async with scripted(lambda connection, request: None) as (server, send):
            with pytest.raises(ConnectionResetError):
                await send()
            return server.requests

    assert asyncio.run(drill()) == [(0, "GET")]


@pytest.mark.parametrize(
    "answer", [SHORT + b"and more", SHORT + SHORT, SHORT.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")]
)
def test_a_connection_that_says_too_much_or_wants_to_end_is_not_used_again(answer):
    async def drill():
        async with scripted(lambda connection, request: answer) as (server, send):
            replies = []
            for _ in range(2):
                replies.append(await send())
                await asyncio.sleep(0.01)
            return server.connections, [(reply.status, reply.body) for reply in replies]

    assert asyncio.run(drill()) == (2, [(200, b"ok")] * 2)


def test_a_request_that_nobody_waits_for_takes_its_connection_with_it():
    async def drill():
        async with scripted(lambda connection, request: b"") as (server, send):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await send()
            await asyncio.wait_for(server.ended.wait(), 5)

    asyncio.run(drill())


def test_what_this_machine_lacks_is_not_blamed_on_the_service():
    lacking = OSError(errno.EADDRNOTAVAIL, "no port is free")
    assert reason(lacking, left=False) is Cause.UNSENT
    assert reason(lacking, left=True) is Cause.BROKEN
    assert reason(ConnectionRefusedError(errno.ECONNREFUSED, ""), left=False) is Cause.REFUSED
    assert unanswered(Kind.WRITE, False, Cause.UNSENT).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [
        (Kind.READ, 304, Outcome.OK),
        (Kind.READ, 503, Outcome.FAILED),
        (Kind.WRITE, 201, Outcome.OK),
        (Kind.WRITE, 302, Outcome.FAILED),
        (Kind.WRITE, 409, Outcome.FAILED),
        (Kind.WRITE, 503, Outcome.UNKNOWN),
    ],
)
def test_the_fate_of_a_write_that_a_server_failed_at_is_open(kind, status, outcome):
    assert judged(kind, status).outcome is outcome
