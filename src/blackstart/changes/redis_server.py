"""A Redis server, as kinds and probes look at it: short answers to short questions, and no retries.

An address is a ``redis://`` or ``rediss://`` URL without a password, which comes from ``$REDISCLI_AUTH``. Errors are
ServiceUnreachable, and ConfigInvalid for what is no such URL. Import this only where a cache is really asked: loading
the driver takes a while.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from blackstart.errors import ConfigInvalid, ServiceUnreachable

ANSWER_SECONDS = 3.0
PASSWORD_VARIABLE = "REDISCLI_AUTH"
BATCH = 1000
"""How many keys one step of a scan looks at, and one command unlinks."""
_GLOB = str.maketrans({character: f"\\{character}" for character in "\\*?[]^"})

Answers = Mapping[str, Any]


class Server:
    """One Redis server; use it through `asked`."""

    def __init__(self, address: str, client: redis.Redis) -> None:
        self.address = address
        self._client = client

    def info(self, section: str = "all") -> Answers:
        """What INFO says. Several sections at once are all of them: servers before 7 take but one name."""
        found: Answers = self._client.info(section)
        return found

    def keys(self, prefix: str = "") -> int:
        """How many keys there are: of the URL's database if it names one, else of all. With ``prefix`` it scans."""
        if prefix:
            return sum(1 for _ in self._named(prefix))
        if numbered(self.address):
            return int(self._client.dbsize())
        keyspace = self.info("keyspace")
        return sum(int(database["keys"]) for database in keyspace.values())

    def empty(self, prefix: str = "") -> None:
        """Delete the keys that begin with ``prefix``, or all, without keeping others waiting."""
        if not prefix:
            flush = self._client.flushdb if numbered(self.address) else self._client.flushall
            flush(asynchronous=True)
            return
        batch: list[bytes] = []
        for key in self._named(prefix):
            batch.append(key)
            if len(batch) >= BATCH:
                self._client.unlink(*batch)
                batch.clear()
        if batch:
            self._client.unlink(*batch)

    def _named(self, prefix: str) -> Iterator[bytes]:
        found: Iterator[bytes] = self._client.scan_iter(match=f"{prefix.translate(_GLOB)}*", count=BATCH)
        return found


@contextmanager
def asked(address: str, wanted: str, seconds: float = ANSWER_SECONDS) -> Iterator[Server]:
    """The server at ``address``, to do ``wanted`` (a verb phrase) within ``seconds`` an answer."""
    client = _client(address, seconds)
    try:
        yield Server(address, client)
    except (RedisError, OSError) as error:
        raise ServiceUnreachable(wanted, f"the cache at {address}", f"answered: {error}") from error
    finally:
        client.close()


def _client(address: str, seconds: float) -> redis.Redis:
    try:
        return _opened(address, seconds)
    except ValueError as error:
        raise ConfigInvalid("stores.caches", address, str(error)) from error


def _opened(address: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(
        address,
        password=os.environ.get(PASSWORD_VARIABLE),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(
            NoBackoff(), 0
        ),  # the driver's own retries would hide for a quarter of a minute that nobody answers
    )


def numbered(address: str) -> bool:
    """Whether ``address`` names a database of its server: ``redis://cache:6379/2``."""
    return bool(urlsplit(address).path.strip("/"))


def host(address: str) -> str:
    """The host that ``address`` names."""
    return urlsplit(address).hostname or ""
