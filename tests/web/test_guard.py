"""Who may ask, and what: nothing outside the journals, nothing from another web page, nothing that changes anything."""

import json
import os

import pytest
from stage import HOST, Hands, asked, played, served

from blackstart.web.guard import Hosts

ELSEWHERE = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "",
    "a b",
    "[::1",
    "10.0.0.5",
    "user@127.0.0.1",
]
OUTSIDE = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "//etc/passwd",
    "/region-loss/{}/../../../secret.txt",
    "/region-loss/{}/%2e%2e/%2e%2e/%2e%2e/secret.txt",
    "/region-loss/{}/..%5c..%5csecret.txt",
    "/region-loss/{}/%00",
    "/region-loss/{}/.hidden",
    "/region-loss/{}/link.txt",
    "/region-loss/{}/pipe.json",
    "/region-loss/{}/" + "x" * 300,
    "/linked/20261123T140300Z/",
    "/linked/20261123T140300Z/secret.txt",
    "/index.sqlite",
    "/-/../secret.txt",
    "/-/app.py",
    "/-/live/../../secret.txt",
]


@pytest.fixture(scope="module")
def site(planted, whole, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    (outside / "20261123T140300Z").mkdir()
    (outside / "20261123T140300Z" / "secret.txt").write_text("secret")
    root = outside / "journals"
    folder = root / "region-loss" / whole.name
    played(planted, whole, folder, 16.0)
    (folder / ".hidden").write_text("secret")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (root / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.json")
    with served(root, Hands(planted, 16.0)) as site:
        site.folder = folder
        yield site


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_the_journals_is_shown(site, path):
    status, _, text = asked(site.port, path.format(site.folder.name))
    assert status == 404
    assert "secret" not in text


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_page_elsewhere_that_has_its_name_pointed_here_reads_nothing(site, host):
    status, headers, text = asked(site.port, "/api/drills", host=host)
    assert status in (400, 421)
    assert "drills" not in text
    assert status == 400 or headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", f"{HOST}:8080", "[::1]:9"])
def test_this_machine_may_be_named_in_all_its_ways(site, host):
    assert asked(site.port, "/api/drills", host=host)[0] == 200


def test_where_others_may_ask_they_may_name_an_address_or_the_host_that_was_given():
    hosts = Hosts("drills.internal")
    assert not hosts.loopback
    assert all(hosts.allow(name) for name in ("drills.internal:8080", "10.1.2.3:8080", "[fd00::1]"))
    assert not hosts.allow("evil.example")
    assert not Hosts("127.0.0.1").allow("10.1.2.3")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(site, method):
    status, headers, _ = asked(site.port, "/", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/", "/api/drills", "/region-loss/{}/", "/region-loss/{}/report.html", "/-/web.css", "/x"]
)
def test_every_answer_forbids_what_it_does_not_need(site, path):
    _, headers, _ = asked(site.port, path.format(site.folder.name))
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert "'unsafe-eval'" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_a_file_is_shown_as_text_whatever_it_holds_and_downloaded_as_it_is(site):
    address = f"/region-loss/{site.folder.name}"
    (site.folder / "report.md").write_text("<script>alert(1)</script>")
    status, headers, text = asked(site.port, f"{address}/report.md")
    assert (status, headers["content-type"], text) == (200, "text/plain; charset=utf-8", "<script>alert(1)</script>")
    _, headers, text = asked(site.port, f"{address}/drill.json?download")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert json.loads(text)["drill"] == "0142"
    assert asked(site.port, f"{address}/samples.bin?download", "HEAD")[2] == ""
