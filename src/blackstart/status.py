"""What `blackstart status`, `block` and `unblock` do: the drills that the undo log knows, and the kill switch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from blackstart.changes import owner
from blackstart.changes.log import Block, Drill, UndoLog
from blackstart.changes.logs import open_log
from blackstart.clock import Clock, SystemClock, iso


def block(url: str, reason: str, by: str, clock: Clock | None = None) -> Block:
    """Let no drill begin, and no fault be injected, until ``unblock``; running drills go on."""
    clock = clock or SystemClock()
    log = open_log(url)
    try:
        switch = Block(reason, by, iso(clock.now()))
        log.block(switch)
        return switch
    finally:
        log.close()


def unblock(url: str) -> bool:
    """Lift the kill switch; whether it was on."""
    log = open_log(url)
    try:
        return log.unblock()
    finally:
        log.close()


def read(url: str) -> dict[str, Any]:
    """``blocked``: the kill switch (reason, by, since), or null. ``drills``: those that run, or have changes in place:
    ``drill``, ``title``, ``started``, ``folder``, ``host`` and ``pid`` of its process, ``running`` (null: cannot be
    known from here), ``stopping`` (why it was told to stop, or ""), ``holder`` (host and pid of who looks after it),
    ``changes`` (id, state, summary, note)."""
    log = open_log(url)
    try:
        switch = log.blocked()
        return {"blocked": asdict(switch) if switch else None, "drills": [_told(log, each) for each in log.drills()]}
    finally:
        log.close()


def _told(log: UndoLog, drill: Drill) -> dict[str, Any]:
    dead, lease = owner.gone(drill.owner), log.lease(drill.id)
    return {
        "drill": drill.id,
        "title": drill.title,
        "started": drill.started,
        "host": drill.owner.host,
        "pid": drill.owner.pid,
        "running": None if dead is None else not dead,
        "folder": drill.folder,
        "stopping": log.stopping(drill.id),
        "holder": {"host": lease.holder.host, "pid": lease.holder.pid} if lease else None,
        "changes": [
            {"id": entry.change.id, "state": entry.state, "summary": entry.change.summary, "note": entry.note}
            for entry in log.entries(drill.id)
            if entry.open
        ],
    }


def describe(found: dict[str, Any]) -> str:
    """``read`` for people."""
    lines = []
    switch, drills = found["blocked"], found["drills"]
    if switch:
        lines.append(f"blocked by {switch['by']} at {switch['since']}: {switch['reason']}")
        lines.append("let drills begin again with: blackstart unblock")
    if not drills:
        lines.append("no drill runs, and none has changes in place")
    for drill in drills:
        lines += _lines(drill)
    if any(drill["running"] is False for drill in drills):
        lines.append("put it back with: blackstart recover")
    return "\n".join(lines)


def _lines(drill: dict[str, Any]) -> list[str]:
    alive = {True: "running", False: "its process is gone", None: f"on {drill['host']}"}[drill["running"]]
    lines = [f"{drill['drill']}: {drill['title']} ({alive}, started {drill['started']})"]
    if drill["stopping"]:
        lines.append(f"  told to stop: {drill['stopping']}")
    holder = drill["holder"]
    if holder and (holder["host"], holder["pid"]) != (drill["host"], drill["pid"]):
        lines.append(f"  looked after by process {holder['pid']} on {holder['host']}")
    for change in drill["changes"]:
        lines.append(f"  {change['state']}: {change['summary']}")
        if change["state"] == "conflict":
            lines.append(f"    {change['note']}")
            lines.append(f"    settle it with `blackstart recover --force {change['id']}`, or --accept")
    if not drill["changes"]:
        lines.append("  nothing is in place")
    return lines
