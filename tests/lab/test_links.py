"""Links that work: bytes, delay, ends, and the admin API; under both event loops that the lab may run on."""

import asyncio
import os
import resource
import socket

import aiohttp
import pytest
from links_harness import LOOPS, connect, lab, said, until

from blackstart.lab.links import LinkSpec, serve


@pytest.fixture(params=LOOPS)
def run(request):
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


def test_bytes_pass_both_ways_and_an_end_passes_as_an_end(run):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link())
            writer.write(b"question")
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 2) == b"question"
            await until(lambda: it.server_ends == ["end"])
            writer.close()

    run(story())


@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_each_byte_comes_later_by_the_delay_and_a_lot_of_bytes_come_no_slower(run, delay):
    async def story():
        async with lab() as it:
            reader, writer = await connect(await it.link(delay_seconds=delay))
            clock = asyncio.get_running_loop().time
            before = clock()
            writer.write(b"x")
            await said(reader, 1)
            assert 2 * delay - 0.01 <= clock() - before < 2 * delay + 0.1
            parcel = bytes(range(256)) * 40_000
            before = clock()
            writer.write(parcel)
            assert await said(reader, len(parcel), 10) == parcel
            assert clock() - before < 2 * delay + 2
            writer.close()

    run(story())


def test_a_link_that_is_turned_leads_new_connections_elsewhere_and_may_cross_other_zones(run):
    async def story():
        async with lab() as it:
            port = await it.link("turned", target_port=1)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await said((await connect(port))[0], 1)
            turned = {"target_host": "127.0.0.1", "target_port": it.echo_port, "crosses": [["us-east-1b"]]}
            assert (await it.ask("PUT", "/links/turned", **turned))[0] == 204
            reader, writer = await connect(port)
            writer.write(b"there")
            assert await said(reader, 5) == b"there"
            assert await it.cut("us-east-1b") == ["turned"]
            assert (await it.ask("PUT", "/links/turned", **turned | {"crosses": []}))[0] == 204
            assert (await it.ask("GET", "/links"))[1]["links"][0]["cut"] is False
            for name, body, status in (("other", turned, 404), ("turned", {}, 400)):
                assert (await it.ask("PUT", f"/links/{name}", **body))[0] == status
            writer.close()

    run(story())


def test_a_target_that_refuses_shows_as_a_reset(run):
    async def story():
        async with lab() as it:
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                it.echo_port = unused.getsockname()[1]
                reader, writer = await connect(await it.link())
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(reader.read(1), 2)
                writer.close()

    run(story())


def test_closing_a_link_frees_its_port_and_resets_what_it_carried(run):
    async def story():
        async with lab() as it:
            port = await it.link()
            reader, writer = await connect(port)
            writer.write(b"x")
            await said(reader, 1)
            assert await it.ask("DELETE", "/links/link") == (204, None)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 2)
            assert await it.link(listen_port=port) == port
            writer.close()

    run(story())


def test_requests_that_cannot_be_met_are_refused_in_a_sentence(run):
    async def story():
        async with lab() as it:
            port = await it.link()
            same = {"name": "link", "target_host": "127.0.0.1", "target_port": 1}
            refusals = [
                (409, "there is one of that name", await it.ask("POST", "/links", **same)),
                (409, "cannot listen", await it.ask("POST", "/links", **same | {"name": "b", "listen_port": port})),
                (400, "group of zones", await it.ask("POST", "/links", **same | {"name": "c", "crosses": [[]]})),
                (400, "delay", await it.ask("POST", "/links", **same | {"name": "d", "delay": 1})),
                (400, "zones", await it.ask("PUT", "/cuts", zone="a")),
                (400, "body", await it.ask("PUT", "/cuts")),
                (404, "none of that name", await it.ask("DELETE", "/links/unknown")),
            ]
            for status, part, (seen, answer) in refusals:
                assert seen == status
                assert part in answer["error"]
            assert [link["port"] for link in (await it.ask("GET", "/links"))[1]["links"]] == [port]

    run(story())


def test_out_of_file_descriptors_it_waits_for_some_instead_of_giving_up(run, caplog):
    async def story():
        async with lab() as it:
            port = await it.link()
            with socket.create_connection(("127.0.0.1", port)) as waiting:
                waiting.setblocking(False)
                waiting.send(b"x")
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                probe = os.dup(waiting.fileno())
                os.close(probe)
                resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
                await asyncio.sleep(0.1)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                assert it.heard == b""
                assert "cannot accept more connections" in caplog.text
                await until(lambda: it.heard == b"x")

    run(story())


def test_served_alone_it_is_healthy_until_cancelled(run):
    async def story():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        task = asyncio.create_task(serve(LinkSpec("127.0.0.1", port)))
        async with aiohttp.ClientSession() as session:
            for _ in range(100):
                try:
                    async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        assert answer.status == 200
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story())
