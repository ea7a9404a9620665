from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blackstart.journals.index import Row
from blackstart.reports.review import known
from blackstart.reports.review.incident import Incident, checked
from blackstart.reports.review.known import Known
from blackstart.reports.review.yaml_places import Document

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEGAN = datetime(2026, 11, 20, 2, 13, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[3] / "docs" / "incident.yaml"


@pytest.fixture(scope="session")
def shipped() -> tuple[Known, ...]:
    return known.shipped()


@pytest.fixture(scope="session")
def incident() -> Callable[..., Incident]:
    """``incident(failure="cache", recovered=None)``: a loss of the database's writer, with these keys changed."""

    def made(**changed: Any) -> Incident:
        data: dict[str, Any] = {
            "id": "INC-1",
            "title": "Orders could not be placed",
            "service": "orders",
            "failure": "database",
            "way": "writer",
            "started": "2026-11-20T02:13:00Z",
            "recovered": "2026-11-20T02:23:00Z",
            **changed,
        }
        return checked(Document("incident.yaml", {key: value for key, value in data.items() if value is not None}), NOW)

    return made


def objective(target: float, measured: float | None, met: bool | None) -> dict[str, Any]:
    return {"target": target, "measured": measured, "met": met, "unit": "seconds"}


@pytest.fixture(scope="session")
def drill() -> Callable[..., Row]:
    """``drill(days=3)``: one that passed so long before the incident, with these fields changed."""

    def made(days: float = 3, **changed: Any) -> Row:
        started = BEGAN - timedelta(days=days)
        row: dict[str, Any] = {
            "folder": f"database-failover/{started:%Y%m%dT%H%M%SZ}",
            "drill": f"drill-{days:g}",
            "experiment": "database-failover",
            "service": "orders",
            "environment": "production",
            "fault": "fail-over of database cluster shop",
            "started": started,
            "ended": started + timedelta(seconds=90),
            "verdict": "passed",
            "reason": "Orders recovered in 21.0 s.",
            "rto_seconds": 21.0,
            "lost_writes": 0,
            "objectives": {
                "rto_seconds": objective(60, 21.0, True),
                "lost_writes": objective(0, 0, True),
                "error_budget_share": objective(63.0, 12.0, True),
            },
            "tags": ("database", "D1"),
            **changed,
        }
        return Row(**row)

    return made
