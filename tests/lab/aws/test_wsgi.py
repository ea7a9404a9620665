import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from aiohttp import web

from blackstart.lab.aws import wsgi


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("201 Created", [("X-Path", environ["RAW_URI"]), ("Content-Type", "text/x-echo")])
    return [body, b"|", environ["PATH_INFO"].encode("latin-1"), b"|", environ["HTTP_HOST"].encode()]


def test_the_environment_has_the_path_decoded_and_as_it_came():
    environ = wsgi.environ_of("PUT", "/a%20b?x=1", {"Host": "aws:4566", "X-Amz-Date": "today"}, b"body")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["RAW_URI"]) == ("/a b", "x=1", "/a%20b?x=1")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("aws", "4566")
    assert (environ["CONTENT_LENGTH"], environ["HTTP_X_AMZ_DATE"]) == ("4", "today")


def test_an_application_is_closed_even_if_its_body_breaks_off():
    closed = []

    class Broken:
        def __iter__(self):
            yield b"first"
            raise RuntimeError("broken")

        def close(self):
            closed.append(True)

    def application(environ, start_response):
        start_response("200 OK", [])
        return Broken()

    try:
        wsgi.call(application, {})
    except RuntimeError:
        assert closed == [True]
    else:
        raise AssertionError("the error was swallowed")


def serve(application, ask):
    async def scenario():
        with ThreadPoolExecutor(max_workers=1) as executor:
            runner = web.ServerRunner(web.Server(wsgi.handler(application, executor)))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0]
            async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
                try:
                    return await ask(client)
                finally:
                    await runner.cleanup()

    return asyncio.run(scenario())


def test_a_call_goes_through_with_its_body_status_and_headers():
    async def ask(client):
        async with client.post("/a%2Fb?c", data=b"payload") as answer:
            return answer.status, answer.headers["X-Path"], answer.headers["Content-Type"], await answer.read()

    status, path, kind, body = serve(echo, ask)
    assert (status, path, kind) == (201, "/a%2Fb?c", "text/x-echo")
    assert body.startswith(b"payload|/a/b|127.0.0.1")


def test_connections_are_kept_and_calls_never_overlap():
    inside, overlapped, connections = [], [], set()

    def slow(environ, start_response):
        overlapped.append(bool(inside))
        inside.append(threading.get_ident())
        inside.pop()
        start_response("200 OK", [])
        return [b"ok"]

    async def ask(client):
        async def one():
            async with client.get("/") as answer:
                connections.add(answer.connection.transport.get_extra_info("sockname") if answer.connection else None)
                return await answer.read()

        for _ in range(3):
            await asyncio.gather(*(one() for _ in range(4)))

    serve(slow, ask)
    assert len(overlapped) == 12
    assert not any(overlapped)
    assert len(connections - {None}) <= 4
