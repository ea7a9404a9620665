"""The observer's reader, against servers that answer well and badly."""

import asyncio

import pytest
from faulty_kube import http, listed, running, thing, write_kubeconfig

from blackstart.errors import ServiceUnreachable
from blackstart.kube.reading import Kube


def read(environ, *paths):
    async def run():
        async with Kube("east", environ) as kube:
            return [await kube.get(path) for path in paths]

    return asyncio.run(run())


def test_a_list_is_read_page_by_page(tmp_path):
    def answer(request):
        more = "continue=t" in request.path
        return [listed(7, thing("b", 2)) if more else listed(7, thing("a", 1), following="t")]

    async def run(environ):
        async with Kube("shop", environ) as kube:
            return await kube.items("/api/v1/nodes", {"labelSelector": "a=b"})

    with running(answer) as server:
        found = asyncio.run(run(write_kubeconfig(tmp_path / "k", server.url)))
        assert [item["metadata"]["name"] for item in found] == ["a", "b"]
        assert server.requests[1].path == "/api/v1/nodes?labelSelector=a%3Db&limit=500&continue=t"
        assert server.connections == 1


def test_a_token_that_is_refused_is_read_again(tmp_path):
    (tmp_path / "token").write_text("old")

    def answer(request):
        good = request.headers["authorization"] == "Bearer new"
        (tmp_path / "token").write_text("new")
        return [http(200, {"ok": True}) if good else http(401)]

    with running(answer) as server:
        environ = write_kubeconfig(tmp_path / "k", server.url, {"tokenFile": "token"})
        assert read(environ, "/x", "/y") == [{"ok": True}] * 2
        assert [request.path for request in server.requests] == ["/x", "/x", "/y"]


def test_after_a_token_that_stays_refused_the_kubeconfig_is_read_again(tmp_path):
    async def run(environ, url):
        async with Kube("east", environ) as kube:
            with pytest.raises(ServiceUnreachable, match="401"):
                await kube.get("/x")
            write_kubeconfig(tmp_path / "k", url, {"token": "new"})
            return await kube.get("/x")

    with running(lambda request: [http(200 if "new" in request.headers["authorization"] else 401)]) as server:
        environ = write_kubeconfig(tmp_path / "k", server.url, {"token": "old"})
        assert asyncio.run(run(environ, server.url)) == {}


@pytest.mark.parametrize("bad", [http(500), http(200, []), http(200, b"<html>"), b"SSH\r\n"])
def test_what_is_no_good_answer_is_one_sentence(tmp_path, bad):
    with running(lambda request: [bad]) as server, pytest.raises(ServiceUnreachable, match=r"could not read /x: http"):
        read(write_kubeconfig(tmp_path / "k", server.url), "/x")
