"""``[[journeys]]``: what can be played, and that no password gets into the settings, which journals keep."""

import pytest

from blackstart import journeys
from blackstart.errors import ConfigInvalid
from blackstart.observer import sites
from blackstart.settings import load

BASE = """
[scope]
environment = "lab"

[service]
name = "orders"
host = "orders.shop.test"
port = 8080
home_region = "us-east-1"

[stores.databases]
us-east-1 = "host=db.shop.test port=5433 user=shop dbname=shop"

[stores.caches]
us-east-1 = "redis://cache.shop.test"
"""
BROWSE = '[[journeys]]\nname = "browse"\nshare = 0.75\n'
LEDGER = """
[[journeys]]
name = "ledger"
share = 0.25
protocol = "postgresql"
target = "us-east-1"
read = "SELECT 1"
"""


def settings(tmp_path, text):
    path = tmp_path / "blackstart.toml"
    path.write_text(text)
    return load(path)


def test_without_the_table_there_is_one_journey_made_of_the_service(tmp_path):
    read = settings(tmp_path, BASE.replace("port = 8080", 'port = 8443\nprotocol = "http/2"\ntls = true'))
    (only,) = sites.played(read)
    assert (only.name, only.share, only.protocol, only.tls) == ("users", 1, "http/2", True)
    (told,) = sites.described(read)
    assert (told.target, told.kind, told.protocol) == ("orders.shop.test:8443", None, "http/2")
    assert [(part.share, part.write_share) for part in sites.parts(read)] == [(1, 0.5)]


def test_each_journey_has_its_target_and_only_http_writes_unless_told(tmp_path):
    cached = (
        '[[journeys]]\nname = "basket"\nshare = 0.05\nprotocol = "redis"\ntarget = "us-east-1"\n'
        'read = "GET a"\nwrite = "SET a 1"\nwrite_share = 1\n'
    )
    read = settings(tmp_path, BASE + BROWSE + LEDGER.replace("0.25", "0.2") + cached)
    told = {each.name: (each.target, each.protocol, each.kind) for each in sites.described(read)}
    assert told == {
        "browse": ("orders.shop.test:8080", "http/1.1", None),
        "ledger": ("db.shop.test:5433", "postgresql", "read"),
        "basket": ("cache.shop.test:6379", "redis", "write"),
    }
    assert [part.write_share for part in sites.parts(read)] == [0.5, 0, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BROWSE, "sum to 0.75 and not to 1"),
        (BROWSE + LEDGER.replace('"ledger"', '"browse"'), "two journeys have the same name"),
        (BROWSE + LEDGER.replace("us-east-1", "nowhere"), '"nowhere" is not host:port'),
        (BROWSE + LEDGER.replace("us-east-1", "db:99999"), "is not host:port"),
        (BROWSE + LEDGER.replace('target = "us-east-1"', ""), "has no target"),
        (BROWSE + LEDGER.replace('read = "SELECT 1"', ""), "has nothing to read"),
        (BROWSE + LEDGER + "write_share = 0.5", "has nothing to write"),
        (BROWSE + LEDGER + 'expect = "x"', "for tcp alone"),
        (BROWSE + LEDGER.replace("postgresql", "mysql"), "postgresql"),
        (BROWSE + LEDGER + "speed = 1", "unknown key"),
    ],
)
def test_journeys_that_cannot_be_played_are_refused(tmp_path, text, problem):
    with pytest.raises(ConfigInvalid, match=problem):
        settings(tmp_path, BASE + text)


@pytest.mark.parametrize(
    "line",
    [
        "read = \"ALTER ROLE shop PASSWORD 'hunter2'\"",
        "read = \"SELECT dblink('host=b password=hunter2')\"",
        'target = "shop:hunter2@db:5432"\nread = "SELECT 1"',
        'target = "postgresql://shop:hunter2@db/shop"\nread = "SELECT 1"',
        'read = "AUTH hunter2"',
    ],
)
def test_passwords_are_refused_wherever_a_journey_could_hold_them(tmp_path, line):
    own = LEDGER.replace('read = "SELECT 1"\n', "")
    if line.startswith("target"):
        own = own.replace('target = "us-east-1"\n', "")
    with pytest.raises(ConfigInvalid, match=r"password|is not host:port"):
        settings(tmp_path, BASE + BROWSE + own + line + "\n")


@pytest.mark.parametrize("path", ["/products/{number}?access_token=x", "/a?b=1&password=x", "/a?api_key=x"])
def test_a_path_of_the_service_holds_no_password(tmp_path, path):
    with pytest.raises(ConfigInvalid, match="seems to hold a password"):
        settings(tmp_path, BASE.replace("port = 8080", f'port = 8080\nread_path = "{path}"'))
    assert journeys.holds_secret(path)
    assert not journeys.holds_secret("/users/@me/password-reset?token_type=short")


def test_a_database_that_is_named_has_one_host_and_one_port(tmp_path):
    read = settings(tmp_path, BASE.replace("host=db.shop.test ", "host=/run/pg ") + BROWSE + LEDGER)
    with pytest.raises(ConfigInvalid, match="should name one host and one port"):
        sites.described(read)
