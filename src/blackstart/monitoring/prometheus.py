"""Prometheus, and what speaks its API: instant and range queries. Read-only; blocks.

Prometheus tells staleness by leaving values out, and what cannot be computed as NaN: both are None here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.monitoring.web import Endpoint, explained

MOST_POINTS = 10_000  # of one range query; Prometheus refuses more than 11,000


@dataclass(frozen=True)
class Series:
    """One series of a range: its labels, and a value (None: there is none) for each moment that was asked for."""

    labels: Mapping[str, str]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Prometheus:
    """The API at ``endpoint``. Every method raises ServiceUnreachable, about what was ``wanted``, if it cannot tell."""

    endpoint: Endpoint

    def instant(self, query: str, wanted: str) -> list[float]:
        """The values of an instant vector or of a scalar, NaN among them."""
        answer = self._data("/api/v1/query", {"query": query}, wanted)
        try:
            kind, result = answer["resultType"], answer["result"]
            pairs = [result] if kind == "scalar" else [each["value"] for each in result] if kind == "vector" else None
            if pairs is None:
                raise ValueError(kind)
            return [float(value) for _, value in pairs]
        except (ValueError, KeyError, TypeError) as error:
            raise self.endpoint.problem(
                wanted, f"answered with no vector and no scalar of numbers ({error!r})"
            ) from error

    def labels(self, query: str, wanted: str) -> list[Mapping[str, str]]:
        """The labels of each series of an instant vector."""
        answer = self._data("/api/v1/query", {"query": query}, wanted)
        try:
            return [{str(key): str(value) for key, value in each["metric"].items()} for each in answer["result"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise self.endpoint.problem(wanted, f"answered with no vector ({error!r})") from error

    def now(self) -> float:
        """Its own clock, in seconds since 1970."""
        (value,) = self.instant("time()", "read its clock")
        return value

    def range(self, query: str, moments: Sequence[float], wanted: str) -> list[Series]:
        """Every series of ``query`` at ``moments``: seconds since 1970, evenly spaced."""
        found: dict[tuple[tuple[str, str], ...], dict[int, float | None]] = {}
        for first in range(0, len(moments), MOST_POINTS):
            part = moments[first : first + MOST_POINTS]
            for labels, pairs in self._part(query, part, wanted):
                step = moments[1] - moments[0] if len(moments) > 1 else 1.0
                values = found.setdefault(tuple(sorted(labels.items())), {})
                values.update((round((at - moments[0]) / step), value) for at, value in pairs)
        return [
            Series(dict(labels), tuple(values.get(index) for index in range(len(moments))))
            for labels, values in found.items()
        ]

    def _part(
        self, query: str, moments: Sequence[float], wanted: str
    ) -> Iterable[tuple[dict[str, str], list[tuple[float, float | None]]]]:
        step = moments[1] - moments[0] if len(moments) > 1 else 1.0
        asked = {"query": query, "start": f"{moments[0]:.3f}", "end": f"{moments[-1]:.3f}", "step": f"{step:.3f}"}
        answer = self._data("/api/v1/query_range", asked, wanted)
        try:
            if answer["resultType"] != "matrix":
                raise ValueError(answer["resultType"])
            return [
                (
                    {str(key): str(value) for key, value in each["metric"].items()},
                    [(float(at), _number(value)) for at, value in each["values"]],
                )
                for each in answer["result"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.endpoint.problem(wanted, f"answered with no series of numbers ({error!r})") from error

    def _data(self, path: str, query: Mapping[str, str], wanted: str) -> Any:
        """``data`` of a whole answer. One with a warning is none: a part may be missing."""
        body = self.endpoint.get(path, query, wanted)
        try:
            decoded = json.loads(body)
        except ValueError as error:
            raise self.endpoint.problem(wanted, "answered without JSON") from error
        if not isinstance(decoded, dict) or decoded.get("status") != "success":
            raise self.endpoint.problem(wanted, f"answered without success: {explained(body)}")
        if decoded.get("warnings"):
            problem = f"answered with a warning, so part may be missing: {decoded['warnings'][0]}"
            raise self.endpoint.problem(wanted, problem)
        return decoded.get("data")


def matching(names: Iterable[str]) -> str:
    """The matcher of exactly these alert names, for PromQL and for Alertmanager."""
    either = "|".join(re.escape(name) for name in dict.fromkeys(names))
    return f"alertname=~{json.dumps(f'^(?:{either})$', ensure_ascii=False)}"


def alerts_query(names: Iterable[str]) -> str:
    """PromQL for the alerts of these names that are pending or firing."""
    return f"ALERTS{{{matching(names)}}}"


def _number(text: Any) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
