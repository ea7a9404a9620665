"""A drill as an annotation in Grafana: there from its start, a region from the fault to the recovery at its end.

The one that the same drill left before is found by its tags and changed, so that telling twice leaves one.
"""

from __future__ import annotations

import html
import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from blackstart.journal_settings import Grafana
from blackstart.publish.facts import Facts
from blackstart.publish.sending import Sender, bearer

TAG = "blackstart"


def tell(facts: Facts, settings: Grafana, sender: Sender, token: str) -> None:
    """NotTold if Grafana does not take it."""
    base, headers = f"{settings.url.rstrip('/')}/api/annotations", {"Accept": "application/json", **bearer(token)}
    mine = f"drill:{facts.drill.drill}"
    asked = urlencode([("tags", TAG), ("tags", mine), ("type", "annotation"), ("limit", "10")])
    found = _id(sender, sender.send("GET", f"{base}?{asked}", headers))
    body = json.dumps(annotation(facts, settings)).encode()
    headers["Content-Type"] = "application/json"
    if found is None:
        sender.send("POST", base, headers, body, again=False)
    else:
        sender.send("PATCH", f"{base}/{found}", headers, body)


def annotation(facts: Facts, settings: Grafana) -> dict[str, Any]:
    """What Grafana is sent. Times in ms since 1970. Its text is HTML, so what journals hold is escaped. Pure."""
    drill, (began, ended) = facts.drill, span(facts)
    text = f"<b>{html.escape(facts.moment)}</b> {html.escape(drill.fault)}<br>{html.escape(facts.sentence)}"
    if facts.report:
        text += f'<br><a href="{html.escape(facts.report)}">report</a>'
    told = {
        "time": _milliseconds(began),
        "tags": [
            TAG, f"drill:{drill.drill}", f"experiment:{drill.experiment}", f"environment:{drill.environment}",
            f"verdict:{facts.moment}", *settings.tags,
        ],
        "text": text,
    }  # fmt: skip
    if ended is not None:
        told["timeEnd"] = _milliseconds(ended)
    if settings.dashboard_uid:
        told["dashboardUID"] = settings.dashboard_uid
    return told


def span(facts: Facts) -> tuple[datetime, datetime | None]:
    """From the fault until users were served again, else until all was put back, else until the end; without a fault,
    the whole drill; only its start while it runs."""
    measured = facts.measured
    if measured is None:
        return facts.drill.started, None
    if measured.fault_at is None:
        return facts.drill.started, facts.ended
    recovered = measured.users.recovered_at if measured.users else None
    until = next((at for at in (recovered, measured.undone_at) if at is not None), None)
    return measured.wall(measured.fault_at), facts.ended if until is None else measured.wall(until)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _id(sender: Sender, answer: bytes) -> int | None:
    """Of the annotation that this drill has already; None if it has none."""
    try:
        listed = json.loads(answer)
        return int(listed[0]["id"]) if listed else None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise sender.problem("its answer is no list of annotations") from error
