"""The journeys of the users, one line each: for the terminal and the report. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.journals import numbers
from blackstart.journals.apart import Apart
from blackstart.journals.users import Users


def facts(users: Users | None) -> Iterator[tuple[str, str]]:
    """The name of each journey, and what became of it; nothing if there is only one."""
    for each in users.journeys if users else ():
        yield f"journey {each.name}", _words(each)


def _words(each: Apart) -> str:
    served = numbers.percent(each.requests - each.failed - each.unobserved, each.requests)
    failed = f"{served}, {numbers.count(each.failed)} of {numbers.plural(each.requests, 'request')} failed"
    longest = f"longest outage {numbers.seconds(each.longest.seconds) if each.longest else 'none'}"
    if each.latency is None:
        return f"{failed}, {longest}"
    shown = ", ".join(
        f"{name} {numbers.latency(value)}"
        for name, value in (("p50", each.latency.p50), ("p95", each.latency.p95), ("p99", each.latency.p99))
    )
    return f"{failed}, {shown}, {longest}"
