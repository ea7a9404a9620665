"""Kubernetes quantities such as 250m and 1Gi, and sums of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_UNITS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


@dataclass(frozen=True)
class Amounts:
    """Cores, bytes and pods."""

    cpu: float = 0.0
    memory: float = 0.0
    pods: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)


def parse(quantity: str | float) -> float:
    """The number that ``quantity`` stands for; ValueError if it is none."""
    text = str(quantity)
    number = text.rstrip("numkKMGTPEi") if not text[-1:].isdigit() else text
    unit = text[len(number) :]
    if unit not in _UNITS:
        raise ValueError(f"{text} is not a quantity")
    return float(number) * _UNITS[unit]


def amount(value: int | str, total: int, rounded: Callable[[float], int]) -> int:
    """``value`` as a count: itself, or the share of ``total`` if it is a percentage."""
    return rounded(int(value.rstrip("%")) * total / 100) if isinstance(value, str) else value


def requested(spec: Mapping[str, Any]) -> Amounts:
    """What one pod asks for; what cannot be read counts as nothing."""
    total = Amounts(pods=1)
    for container in spec.get("containers") or ():
        resources = container.get("resources") or {}
        asked = (resources.get("limits") or {}) | (resources.get("requests") or {})
        total += Amounts(_read(asked.get("cpu")), _read(asked.get("memory")))
    return total


def lacking(allocatable: Mapping[str, Any], used: Amounts, asked: Amounts) -> list[str]:
    """What a node has too little of, in a scheduler's words; what it does not declare is without limit."""
    after = used + asked
    short = []
    for name, needed, words in (
        ("cpu", after.cpu, "Insufficient cpu"),
        ("memory", after.memory, "Insufficient memory"),
    ):
        # the tolerance absorbs what adding and subtracting many floats leaves behind
        if name in allocatable and needed > _read(allocatable[name]) * (1 + 1e-9) and getattr(asked, name):
            short.append(words)
    if "pods" in allocatable and after.pods > _read(allocatable["pods"]):
        short.append("Too many pods")
    return short


def _read(quantity: Any) -> float:
    try:
        return parse(quantity) if quantity is not None else 0.0
    except ValueError:
        return 0.0
