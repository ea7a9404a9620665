"""What a step's time rests on, in a few words: who saw it done, or said so. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blackstart.observer.events import Event

_EVENTS = {
    "detect": ("detect",),
    "decide": ("decide",),
    "reroute": ("dns",),
    "promote": ("writer", "database"),
    "scale": ("ready",),
    "warm": ("cache",),
}
_SEEN = {
    "promote": "first write that another region acknowledged",
    "warm": "reads that another region answered from its cache",
}
_SOURCES = {
    "rds": "RDS DescribeGlobalClusters",
    "deployment": "Kubernetes Deployment status",
    "kubernetes event": "Kubernetes Event",
    "operator": "word of the operator",
}


def evidence(events: Sequence[Event], seen: Mapping[str, float]) -> dict[str, str]:
    """Of each step that was ``seen`` done (step → when): what shows it. Without an event of that moment, the users'
    own requests do."""
    return {step: _told(events, step, at) or _SEEN.get(step, "") for step, at in seen.items()}


def _told(events: Sequence[Event], step: str, at: float) -> str:
    fits = [each for each in events if each.kind in _EVENTS[step] and _moment(each) == at]
    return _words(fits[0]) if fits else ""


def _moment(event: Event) -> float:
    shown = event.fields.get("first_new")
    return event.at if shown is None else float(shown)


def _words(event: Event) -> str:
    fields = event.fields
    source, reason = str(fields.get("source", "")), str(fields.get("reason", ""))
    if event.kind == "dns" and not reason and source != "operator":
        server = str(fields.get("server", ""))
        return f"DNS answer{f' of {server}' if server else ''} for {fields.get('name', 'the service')}"
    if event.kind == "database" and not reason:
        return f"the database in {fields.get('region', 'another region')}, asked for its role"
    return " ".join(word for word in (_SOURCES.get(source, source), reason) if word)
