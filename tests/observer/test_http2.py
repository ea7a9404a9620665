"""HTTP/2 against a server that does what a test wants with each stream, on real sockets."""

import asyncio
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from h2.settings import SettingCodes

from blackstart.observer.dialer import Attempt, Dialer
from blackstart.observer.transports import http2
from blackstart.observer.transports.http2 import SILENT_SECONDS


class Peer(asyncio.Protocol):
    """One connection at the server. ``act(peer, stream)`` is called for each request, once it is complete."""

    def __init__(self, act, all_peers, most):
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.number = len(all_peers)
        self.streams, self.resets = [], []
        self._act, self._most = act, most
        all_peers.append(self)

    def connection_made(self, transport):
        self.transport = transport
        self.http.initiate_connection()
        if self._most:
            self.http.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._most})
        self.flush()

    def data_received(self, data):
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                self.streams.append(event.stream_id)
                self._act(self, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets.append(event.stream_id)
        self.flush()

    def answer(self, stream, status="200"):
        self.http.send_headers(stream, [(":status", status), ("x-region", "us-east-1")])
        self.http.send_data(stream, b"ok", end_stream=True)
        self.flush()

    def flush(self):
        self.transport.write(self.http.data_to_send())


@asynccontextmanager
async def peers(act, most=0):
    made = []
    listener = await asyncio.get_running_loop().create_server(lambda: Peer(act, made, most), "127.0.0.1", 0)
    dialer = Dialer("127.0.0.1", listener.sockets[0].getsockname()[1], "http/2")

    def send(method="GET", attempt=None, seconds=5.0):
        asked = dialer.send("127.0.0.1", method, "/", attempt or Attempt(), {"key": "k"} if method == "POST" else None)
        return asyncio.wait_for(asked, seconds)

    try:
        yield made, send
    finally:
        await dialer.close()
        listener.close()
        for peer in made:
            peer.transport.abort()
        await listener.wait_closed()
        await asyncio.sleep(0.01)


def test_many_requests_at_once_share_a_connection(monkeypatch):
    monkeypatch.setattr(http2, "SILENT_SECONDS", 10.0)  # a busy machine may be silent for longer than usual

    async def drill():
        async with peers(Peer.answer) as (made, send):
            replies = await asyncio.gather(*(send("POST" if number % 2 else "GET") for number in range(40)))
            return replies, len(made)

    replies, connections = asyncio.run(drill())
    assert {(reply.status, reply.body, reply.headers["x-region"]) for reply in replies} == {(200, b"ok", "us-east-1")}
    assert connections == 1


def test_what_one_connection_does_not_take_goes_to_another():
    async def drill():
        async with peers(Peer.answer, most=5) as (made, send):
            await send()  # now its settings are known
            await asyncio.gather(*(send() for _ in range(8)))
            return len(made)

    assert asyncio.run(drill()) == 2


def test_what_a_server_that_goes_away_has_not_begun_is_sent_to_a_new_connection():
    def act(peer, stream):
        if peer.number == 0 and stream > 1:
            peer.http.close_connection(last_stream_id=1)
        else:
            peer.answer(stream)

    async def drill():
        async with peers(act) as (made, send):
            attempt = Attempt()
            statuses = [(await send()).status, (await send("POST", attempt)).status]
            return statuses, [peer.streams for peer in made]

    assert asyncio.run(drill()) == ([200, 200], [[1, 3], [1]])


@pytest.mark.parametrize(("code", "open_fate"), [("REFUSED_STREAM", False), ("INTERNAL_ERROR", True)])
def test_a_write_that_was_refused_unseen_has_not_left_and_another_may_have(code, open_fate):
    def act(peer, stream):
        peer.http.reset_stream(stream, h2.errors.ErrorCodes[code])

    async def drill():
        async with peers(act) as (_, send):
            attempt = Attempt()
            with pytest.raises(ConnectionResetError):
                await send("POST", attempt)
            return attempt.sent

    assert asyncio.run(drill()) is open_fate


def test_a_connection_that_has_gone_silent_gets_no_new_requests():
    def act(peer, stream):
        if peer.number > 0:
            peer.answer(stream)

    async def drill():
        async with peers(act) as (made, send):
            hung = asyncio.ensure_future(send())
            await asyncio.sleep(SILENT_SECONDS * 1.5)
            status = (await send()).status
            made[0].answer(1)  # the first one has not been forgotten
            return status, (await hung).status, len(made)

    assert asyncio.run(drill()) == (200, 200, 2)


def test_a_request_that_nobody_waits_for_is_taken_back_and_others_go_on():
    def act(peer, stream):
        if stream > 1:
            peer.answer(stream)

    async def drill():
        async with peers(act) as (made, send):
            hung = asyncio.ensure_future(send(seconds=0.15))
            await asyncio.sleep(0.05)
            assert (await send()).status == 200
            with pytest.raises(TimeoutError):
                await hung
            assert (await send()).status == 200
            await asyncio.sleep(0.05)
            return len(made), made[0].resets

    assert asyncio.run(drill()) == (1, [1])


def test_a_connection_that_is_lost_fails_all_that_was_on_it():
    def act(peer, stream):
        if stream == 5:
            peer.transport.abort()

    async def drill():
        async with peers(act) as (_, send):
            return await asyncio.gather(*(send() for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in asyncio.run(drill())] == [ConnectionResetError] * 3
