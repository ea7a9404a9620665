"""What is planted, and when: data that the server, the judge and the tests share. Pure.

Times are in seconds from the moment at which the server was told to go, so that a plan can be kept and played again.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REFUSE, HOLE, STALL, ERROR, RESET = "refuse", "hole", "stall", "error", "reset"
SLOW, FORGET, QUIET, LATE, LIE = "slow", "forget", "quiet", "late", "lie"
OUTAGES = (REFUSE, HOLE, ERROR, RESET, STALL)


@dataclass(frozen=True)
class Trouble:
    """From ``began`` until ``ended`` a ``share`` of the requests at ``address`` ("" = all) meets ``mode``:

    refuse  the listener is closed and its connections are gone, as when a process dies (all requests: ``share`` 1)
    hole    no answer, ever
    stall   no answer until ``ended``, then all at once
    error   HTTP 503
    reset   the connection is reset in the place of an answer
    slow    an answer ``delay`` seconds later than usual
    forget  writes are acknowledged and dropped
    quiet   writes are applied and never acknowledged: the connection is reset
    late    writes are acknowledged, and can be read back only ``delay`` seconds later
    lie     writes are applied and refused with 409
    """

    began: float
    ended: float
    mode: str
    address: str = ""
    share: float = 1.0
    delay: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Turn:
    """From ``at`` on the DNS server answers ``addresses``."""

    at: float
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that the server does. A request usually takes ``usual`` seconds, now and then up to ``tail`` more.

    ``turns``: none without a DNS server, whose answers live for ``ttl`` seconds.
    """

    seed: int
    seconds: float
    troubles: tuple[Trouble, ...] = ()
    addresses: tuple[str, ...] = ("127.0.0.1",)
    usual: float = 0.002
    tail: float = 0.004
    turns: tuple[Turn, ...] = ()
    ttl: int = 1
    name: str = field(default="orders.shop.test")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        data: dict[str, Any] = json.loads(text)
        troubles = tuple(Trouble(**each) for each in data.pop("troubles"))
        turns = tuple(Turn(each["at"], tuple(each["addresses"])) for each in data.pop("turns"))
        return cls(**{**data, "addresses": tuple(data["addresses"]), "troubles": troubles, "turns": turns})


@dataclass(frozen=True)
class Mix:
    """How many outages of which lengths, drawn evenly on a logarithmic scale from [shortest, longest] seconds."""

    count: int
    shortest: float
    longest: float


SHORT = Mix(8, 0.02, 0.05)
BENCH = (SHORT, Mix(12, 0.05, 0.1), Mix(12, 0.1, 0.5), Mix(8, 0.5, 2), Mix(3, 2, 10), Mix(1, 10, 30))


def timeline(
    seed: int, mixes: Sequence[Mix], *, timeout: float, modes: Sequence[str] = OUTAGES, calm: float = 1.2
) -> Plan:
    """Outages of ``mixes`` in random order, at random phases, each followed by at least ``calm`` seconds without.

    A stall shorter than ``timeout``, how long a user waits, is slow and no outage: it gets another mode.
    """
    chance = random.Random(seed)
    lengths = [_length(chance, mix) for mix in mixes for _ in range(mix.count)]
    chance.shuffle(lengths)
    at, troubles = 1.0, []
    for place, length in enumerate(lengths):
        mode = modes[(seed + place) % len(modes)]
        if mode == STALL and length < timeout + 0.1:
            mode = chance.choice([each for each in modes if each != STALL])
        at += calm * chance.uniform(1, 1.25)
        troubles.append(Trouble(round(at, 6), round(at + length, 6), mode))
        at += length
    return Plan(seed, at + 2 * calm, tuple(troubles))


def _length(chance: random.Random, mix: Mix) -> float:
    return math.exp(chance.uniform(math.log(mix.shortest), math.log(mix.longest)))


def flapping(began: float, times: int, down: float, up: float, mode: str = REFUSE) -> tuple[Trouble, ...]:
    """``times`` outages of ``down`` seconds with ``up`` seconds between them."""
    begins = [began + number * (down + up) for number in range(times)]
    return tuple(Trouble(round(each, 6), round(each + down, 6), mode) for each in begins)
