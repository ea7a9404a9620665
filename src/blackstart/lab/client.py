"""A running lab, as other processes on this machine ask it: its admin API, without asyncio.

- ``GET /status`` → the status as in ``status.json``, read anew.
- ``GET /faults`` → ``{region: {"control_plane": bool, "data_stores": bool}}``: whether they work.
- ``POST /faults`` with ``region`` and one or both of these → the same; answers when it is in force.
- ``POST /shutdown`` → 202; the lab is gone when its lock is free.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from blackstart.errors import LabError, ServiceUnreachable
from blackstart.lab.status import Status

SECONDS = 30.0
CONTROL_PLANE, DATA_STORES = "control_plane", "data_stores"


class LabClient:
    """Asks the lab whose admin API is at ``url``; ServiceUnreachable if it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def status(self) -> Status:
        return Status.from_json(self._ask("GET", "/status"))

    def faults(self) -> dict[str, dict[str, bool]]:
        """By region: whether its control plane and its data stores work."""
        found: dict[str, dict[str, bool]] = self._ask("GET", "/faults")
        return found

    def set(self, region: str, works: Mapping[str, bool]) -> None:
        """Break (False) or mend (True) ``control_plane`` or ``data_stores`` of ``region``; done when this returns."""
        self._ask("POST", "/faults", {"region": region} | dict(works))

    def shutdown(self) -> None:
        """Ask the lab to end; returns at once."""
        self._ask("POST", "/shutdown", {})

    def _ask(self, verb: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=verb)
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise LabError(f"{verb} {path}", error.read().decode(errors="replace")) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceUnreachable("ask the lab", self.url, f"did not answer ({error})") from error
