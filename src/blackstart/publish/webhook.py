"""A drill as JSON to any webhook, signed as standardwebhooks.com describes, so that receivers need no code of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from blackstart.clock import iso
from blackstart.publish.facts import STARTED, Facts
from blackstart.publish.sending import Sender

FORMAT = 1
PREFIX = "whsec_"


def tell(facts: Facts, url: str, sender: Sender, key: str) -> None:
    """NotTold if the receiver does not take it. ``key``: what signs; "": it is not signed."""
    body = json.dumps(payload(facts), ensure_ascii=False).encode()
    told = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    at = str(int(sender.clock.now().timestamp()))
    headers = {"Content-Type": "application/json", "webhook-id": told, "webhook-timestamp": at}
    if key:
        try:
            headers["webhook-signature"] = signature(key, told, at, body)
        except ValueError as error:
            raise sender.problem(f"what follows {PREFIX} in its secret is not base64") from error
    sender.send("POST", url, headers, body)


def payload(facts: Facts) -> dict[str, Any]:
    """docs/publish.md describes it. The same facts give the same text: a receiver can tell a second delivery. Pure."""
    drill = facts.drill
    return {
        "format": FORMAT,
        "type": "drill.started" if facts.moment == STARTED else "drill.ended",
        "moment": facts.moment,
        "text": facts.sentence,
        "drill": {
            "id": drill.drill,
            "experiment": drill.experiment,
            "title": drill.title,
            "fault": drill.fault,
            "service": facts.service,
            "environment": drill.environment,
            "started": iso(drill.started),
            "seed": drill.seed,
        },
        "report": facts.report or None,
        "journal": str(facts.folder),
        "outcome": dict(facts.outcome) or None,
    }


def signature(key: str, told: str, at: str, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 of id, time and body. What follows ``whsec_`` in a key is base64, else ValueError."""
    digest = hmac.new(_key(key), f"{told}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(key: str) -> bytes:
    if not key.startswith(PREFIX):
        return key.encode()
    return base64.b64decode(key.removeprefix(PREFIX), validate=True)
