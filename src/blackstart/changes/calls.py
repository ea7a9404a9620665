"""The calls of AWS APIs that a drill's own processes made: ``calls.jsonl`` in its journal.

It answers whether a fail-over or the drill itself needed a region that was lost. The first line of each process says
that it keeps a record: ``{"by": "drill", "begun": true}``. Then a line for each call once its fate is known, all tries
of one call together: ``at`` (UTC), ``monotonic`` (when it began), ``by`` ("drill", "reverter" or "recover"),
``service``, ``region`` ("" for a service without), ``operation``, ``seconds`` (waited) and ``outcome`` ("answered", or
the error's name). It is evidence: if it cannot be written, the drill goes on, without the record.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from blackstart.changes.mirror import add_lines
from blackstart.clock import Clock, iso

FILE = "calls.jsonl"
BEGAN = "blackstart_began"


class CallLog:
    """Writes for one process. ``folder`` None: nothing is written."""

    def __init__(self, folder: Path | None, by: str, clock: Clock) -> None:
        self._path = folder / FILE if folder else None
        self._by = by
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = False

    def listen(self, client: Any, service: str, region: str) -> None:
        """Hear of every call of the botocore ``client`` from now on, from any thread."""
        if self._path is None:
            return
        self._begin()

        def began(context: dict[str, Any], model: Any, **_: Any) -> None:
            context[BEGAN] = (model.name, self._clock.monotonic())

        def ended(context: Mapping[str, Any], http_response: Any = None, exception: Any = None, **_: Any) -> None:
            operation, at = context.get(BEGAN, ("", None))
            if at is not None:
                outcome = "answered" if exception is None else type(exception).__name__
                self._add(at, {"service": service, "region": region, "operation": operation}, outcome)

        events = client.meta.events
        events.register("provide-client-params", began)
        events.register("after-call", ended)
        events.register("after-call-error", ended)

    def _begin(self) -> None:
        with self._lock:
            first, self._begun = not self._begun, True
        if first:
            self._write({"by": self._by, "begun": True})

    def _add(self, began: float, called: Mapping[str, Any], outcome: str) -> None:
        waited = self._clock.monotonic() - began
        at = iso(self._clock.now() - timedelta(seconds=waited))
        line = {"at": at, "monotonic": began, "by": self._by, **called}
        self._write({**line, "seconds": round(waited, 6), "outcome": outcome})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._path is not None:
            with self._lock:
                add_lines(self._path, [line])
