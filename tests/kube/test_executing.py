"""Commands in containers, over a real WebSocket."""

import asyncio
import json
import threading

import pytest
from aiohttp import web

from blackstart.errors import ServiceUnreachable
from blackstart.kube.client import Executed, KubeRefused

SUCCESS = {"status": "Success"}
KILLED = {"status": "Failure", "reason": "NonZeroExitCode", "code": 500, "details": {
    "causes": [{"reason": "ExitCode", "message": "137"}]}}  # fmt: skip
NO_CONTAINER = {"status": "Failure", "reason": "InternalError", "code": 500, "message": 'container not found ("app")'}


class Kubelet:
    """Runs nothing: sends ``frames`` to whoever may run a command; then, unless it ``waits``, ends the connection."""

    def __init__(self):
        self.frames, self.waits, self.requests, self.url, self.good = [], False, [], "", "Bearer good"

    async def answer(self, request):
        self.requests.append(request)
        if request.headers.get("Authorization") != self.good:
            raise web.HTTPUnauthorized
        if request.match_info["name"] == "missing":
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        await socket.prepare(request)
        assert socket.ws_protocol == "v5.channel.k8s.io"
        for channel, data in self.frames:
            await socket.send_bytes(bytes([channel]) + data)
        if self.waits:
            await socket.receive()
        return socket


@pytest.fixture(scope="module")
def server():
    kubelet, ready, stop = Kubelet(), threading.Event(), asyncio.Event()
    found = {}

    async def serve():
        app = web.Application()
        app.router.add_get("/api/v1/namespaces/shop/pods/{name}/exec", kubelet.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        kubelet.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        found["loop"] = asyncio.get_running_loop()
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield kubelet
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join()


@pytest.fixture
def kubelet(server):
    server.frames, server.waits, server.good = [], False, "Bearer good"
    server.requests.clear()
    return server


@pytest.fixture
def kube(kubelet, client):
    return client(kubelet.url, {"token": "good"})


def ended(status):
    return (3, json.dumps(status).encode())


def test_a_command_gives_its_output_and_exit_code(kube, kubelet):
    kubelet.frames = [(1, b""), (1, b"one\n"), (2, b"oops\n"), (1, "zwei ü".encode()), ended(SUCCESS)]
    assert kube.execute("shop", "a", "app", ["sh", "-c", "echo &"]) == Executed(0, "one\noops\nzwei ü")
    asked = kubelet.requests[0].query
    assert asked.getall("command") == ["sh", "-c", "echo &"]
    assert (asked["container"], asked["stdout"], asked["stderr"]) == ("app", "true", "true")


def test_a_command_that_fails_says_how(kube, kubelet):
    kubelet.frames = [ended(KILLED)]
    assert kube.execute("shop", "a", "app", ["kill", "1"]).code == 137


def test_a_command_that_was_not_run_is_an_error(kube, kubelet):
    kubelet.frames = [ended(NO_CONTAINER)]
    with pytest.raises(KubeRefused, match=r"could not run true at .*pods/a/exec: .* 500: container not found"):
        kube.execute("shop", "a", "app", ["true"])


def test_a_pod_that_is_not_there_is_refused_with_its_status(kube):
    with pytest.raises(KubeRefused, match="404: there is no such pod"):
        kube.execute("shop", "missing", "app", ["true"])


@pytest.mark.parametrize("frame", [None, (3, b"garbled")])
def test_a_connection_that_ends_without_a_word_is_no_success(kube, kubelet, frame):
    kubelet.frames = [(1, b"begun"), *([frame] if frame else [])]
    with pytest.raises(ServiceUnreachable, match="did not answer: "):
        kube.execute("shop", "a", "app", ["true"])


def test_a_command_has_a_time_to_end(kube, kubelet):
    kubelet.waits = True
    with pytest.raises(ServiceUnreachable, match=r"did not end within 0\.1 s"):
        kube.execute("shop", "a", "app", ["sleep", "60"], seconds=0.1)


def test_a_token_that_is_refused_is_renewed(kubelet, client, tmp_path):
    (tmp_path / "token").write_text("old")
    kube = client(kubelet.url, {"tokenFile": "token"})
    kubelet.frames = [ended(SUCCESS)]
    with pytest.raises(KubeRefused, match="401"):
        kube.execute("shop", "a", "app", ["true"])
    (tmp_path / "token").write_text("good")
    assert kube.execute("shop", "a", "app", ["true"]).code == 0


def test_running_a_command_is_a_change_of_which_the_caller_is_told_first(kube, kubelet):
    kubelet.frames = [ended(SUCCESS)]
    kube.execute("shop", "a", "app", ["true"])
    assert [str(call) for call in kube.called] == ["kubernetes:create pods/exec", "kubernetes:get pods/exec"]
    assert not any(call.reads for call in kube.called)
