"""What the DynamoDB table of an undo log holds, item by item. Pure.

=================  =================  ==================================================================================
``pk``             ``sk``             attributes
=================  =================  ==================================================================================
log                register           ``format``; ``version``: counts the faults and drills that were recorded; and
                                      ``drill ID``: how many faults that drill has, until it has ended and all is
                                      verified
log                block              ``block``: the kill switch, while it is on
drill ID           drill              ``drill``; ``stop``: why it was told to; ``ended``
drill ID           lease              ``holder``, ``beats``
drill ID           fault 00001        ``fault``; ``changes``: a list of them, compressed (zlib); ``token``: names the
                                      append; ``pieces``: how many more items the list goes on in
drill ID           piece TOKEN 00001  ``changes``: goes on; means nothing as long as no fault has this token
drill ID           mark CHANGE        ``state``, ``note``; planned, as long as there is none
=================  =================  ==================================================================================

``block``, ``drill``, ``holder`` and ``fault`` are the fields of the classes of that name, as JSON.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from blackstart.changes.dynamo_table import Item, Key
from blackstart.changes.log import Block, Drill, Entry, Fault, stopped_because
from blackstart.changes.model import Change, State
from blackstart.changes.owner import Owner

FORMAT = 1
REGISTER, BLOCK = ("log", "register"), ("log", "block")
PIECE_BYTES = 300_000
DRILL = "drill "


def drill_key(drill: str) -> Key:
    return DRILL + drill, "drill"


def lease_key(drill: str) -> Key:
    return DRILL + drill, "lease"


def fault_key(drill: str, number: int) -> Key:
    return DRILL + drill, f"fault {number:05}"


def is_fault(item: Item) -> bool:
    return str(item["sk"]).startswith("fault ")


def piece_key(drill: str, token: str, number: int) -> Key:
    return DRILL + drill, f"piece {token} {number:05}"


def mark_key(drill: str, change: str) -> Key:
    return DRILL + drill, f"mark {change}"


def counts(register: Item) -> dict[str, int]:
    """How many faults each drill of the register has."""
    return {name.removeprefix(DRILL): count for name, count in register.items() if name.startswith(DRILL)}


def pieces(changes: Sequence[Change]) -> list[bytes]:
    """At least one, each small enough for an item."""
    packed = zlib.compress(json.dumps([change.to_json() for change in changes]).encode())
    return [packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES)]


def entries_of(drill: str, items: Iterable[Item]) -> list[Entry]:
    """``items``: all of the drill's partition, in its order. ValueError, KeyError, TypeError or zlib.error if they are
    no records."""
    named = {(item["pk"], item["sk"]): item for item in items}
    found = []
    for item in filter(is_fault, named.values()):
        fault, number = Fault(**json.loads(item["fault"])), int(item["sk"].removeprefix("fault "))
        more = [named[piece_key(drill, item["token"], piece)]["changes"] for piece in range(1, item["pieces"] + 1)]
        for record in json.loads(zlib.decompress(b"".join([item["changes"], *more]))):
            change = Change.from_json(record)
            mark = named.get(mark_key(drill, change.id), {"state": State.PLANNED, "note": ""})
            found.append(Entry(change, drill, number, fault, State(mark["state"]), mark["note"]))
    return found


def known_drill(item: Item | None) -> Drill:
    fields = json.loads((item or {})["drill"])
    return Drill(**{**fields, "owner": Owner(**fields["owner"])})


def stopped(item: Item | None) -> str:
    return stopped_because(item.get("stop", ""), "ended" in item) if item else ""


def block_of(item: Item | None) -> Block | None:
    return Block(**json.loads(item["block"])) if item else None


def told(record: Owner | Drill | Fault | Block) -> str:
    return json.dumps(asdict(record), sort_keys=True)
