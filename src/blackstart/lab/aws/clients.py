"""botocore clients for the lab's AWS API, made once each and shared between threads."""

from __future__ import annotations

import threading
from typing import Any

import botocore.session
from botocore.config import Config

from blackstart.lab.aws.signature import ACCOUNT

SECRET = "blackstart-lab"

_ONE_ATTEMPT = Config(retries={"mode": "standard", "total_max_attempts": 1})


class Clients:
    """Clients by service and region for the endpoint ``url``; thread-safe. Ignores the user's AWS configuration."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: dict[tuple[str, str, bool], Any] = {}
        self._lock = threading.Lock()
        self._session = botocore.session.Session(
            session_vars={"profile": (None, None, None, None), "config_file": (None, None, "/dev/null", None)}
        )
        self._session.set_credentials(ACCOUNT, SECRET)
        self._config = Config(
            retries={"mode": "standard"},
            connect_timeout=3,
            read_timeout=15,
            max_pool_connections=16,
            proxies={},
        )

    def __call__(self, service: str, region: str) -> Any:
        """The client of ``service`` (botocore's name) in ``region``."""
        return self._client(service, region, retries=True)

    def impatient(self, service: str, region: str) -> Any:
        """The same, but it never tries again."""
        return self._client(service, region, retries=False)

    def _client(self, service: str, region: str, *, retries: bool) -> Any:
        with self._lock:
            key = (service, region, retries)
            if key not in self._made:
                config = self._config if retries else self._config.merge(_ONE_ATTEMPT)
                self._made[key] = self._session.create_client(
                    service, region_name=region, endpoint_url=self.url, config=config
                )
            return self._made[key]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()
