"""A drill as a message for Slack's incoming webhooks: blocks, with plain text for notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from blackstart.publish.facts import STARTED, Facts
from blackstart.publish.sending import Sender

HEADER, SECTION, FIELDS = 150, 3000, 10
"""Slack's limits: characters of a header and of a section, fields of a section."""
SIGNS = {True: "✓", False: "✗", None: "?"}


def tell(facts: Facts, url: str, sender: Sender) -> None:
    """NotTold if Slack does not take it. Told once: a repeated message would be a second one."""
    body = json.dumps(message(facts)).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = sender.send("POST", url, headers, body, again=False)
    if answer.strip() not in (b"ok", b""):
        raise sender.problem(f"it answered {answer[:200].decode(errors='replace')!r} where Slack says ok")


def message(facts: Facts) -> dict[str, Any]:
    """Pure."""
    return {"text": escaped(f"{_title(facts)}. {facts.sentence}"), "blocks": list(_blocks(facts))}


def escaped(text: str) -> str:
    """The three characters that Slack gives a meaning: no journal may mention a channel or make a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _title(facts: Facts) -> str:
    drill = facts.drill
    return f"{facts.moment.upper()} · {facts.service or drill.experiment} · {drill.fault}"


def _blocks(facts: Facts) -> Iterator[dict[str, Any]]:
    drill = facts.drill
    yield {"type": "header", "text": _plain(_cut(_title(facts), HEADER))}
    if facts.moment == STARTED or facts.sentence:
        yield {"type": "section", "text": _marked(facts.sentence)}
    objectives = list(_objectives(facts))
    if objectives:
        yield {"type": "section", "fields": objectives}
    if facts.outcome.get("leftovers"):
        left = len(facts.outcome["leftovers"])
        yield {
            "type": "section",
            "text": _marked(f"Not proven undone: {left}. Run `blackstart recover {drill.drill}`."),
        }
    said = f"{drill.experiment} · {drill.environment} · drill {drill.drill}"
    yield {"type": "context", "elements": [_plain(_cut(said, SECTION))]}
    if facts.report:
        button = {"type": "button", "text": _plain("Open the report"), "url": facts.report}
        yield {"type": "actions", "elements": [button]}


def _objectives(facts: Facts) -> Iterator[dict[str, str]]:
    """Those that were not met first."""
    found = list(facts.outcome.get("objectives", {}).values())
    found.sort(key=lambda objective: (objective["met"] is not False, objective["met"] is not None))
    for objective in found[:FIELDS]:
        yield _marked(f"{SIGNS[objective['met']]} {objective['text']}")


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": _cut(escaped(text), SECTION)}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
