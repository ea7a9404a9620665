"""Which of the pods that appear while a fault is kept up belong to it. Pure: told of events, says who is due.

A pod that was taken away leaves a slot of its workload; the one that comes in its place takes the slot, and counts for
the scope as the one before. So the share that is down stays what it was, however often its pods come back.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from blackstart.changes.budgets import Budget, covering
from blackstart.changes.model import Change
from blackstart.changes.pods import Chosen, Pod, Pods, never_back


class _Slot(NamedTuple):
    workload: str
    member: str
    past_budget: str


class Slots:
    """The slots of one fault, which took ``first`` of the pods of ``found``.

    ``everything``: all pods that match are meant, so one that comes in nobody's place gets a slot of its own, past
    whichever of the ``budgets`` covers it. Otherwise it is left alone, as are all that were not chosen at first.
    """

    def __init__(
        self, found: Pods, first: Sequence[Change], everything: bool = False, budgets: Sequence[Budget] = ()
    ) -> None:
        self.found = found
        self._everything = everything
        self._budgets = budgets
        self._free: dict[str, deque[_Slot]] = defaultdict(deque)
        self._taken: dict[str, _Slot] = {}
        self._waiting: dict[str, Pod] = {}
        pods = {pod.uid: pod for pod in found.pods}
        self._settled = {change.before["uid"] for change in first} if everything else set(pods)
        for change in first:
            workload = pods[change.before["uid"]].workload
            member = change.share.members[0] if change.share else change.target.id
            self._free[workload].append(_Slot(workload, member, change.past_budget))

    def known(self, uid: str) -> bool:
        """Whether it has been decided about this pod."""
        return uid in self._settled

    def appeared(self, pod: Pod) -> None:
        """A pod that is as asked is there, unless it was before. What nothing would bring back is left alone."""
        if not self.known(pod.uid) and not never_back(pod):
            self._waiting[pod.uid] = pod

    def went(self, uid: str) -> None:
        """A pod is gone, or is being deleted; or it is not as asked any more."""
        self._waiting.pop(uid, None)
        slot = self._taken.pop(uid, None)
        if slot:
            self._free[slot.workload].append(slot)

    def due(self) -> list[Chosen]:
        """Those that have appeared since the last time and have a slot; the others are left alone from now on."""
        found = [chosen for pod in self._waiting.values() if (chosen := self._seated(pod))]
        self._settled.update(self._waiting)
        self._waiting.clear()
        return found

    def _seated(self, pod: Pod) -> Chosen | None:
        free = self._free[pod.workload]
        if free:
            slot = free.popleft()
        elif self._everything:
            past = next(map(str, covering(self._budgets, pod)), "")
            slot = _Slot(pod.workload, pod.name, past)
            self.found = replace(self.found, pods=_with(self.found.pods, pod))
        else:
            return None
        self._taken[pod.uid] = slot
        return Chosen(pod, slot.member, slot.past_budget)


def _with(pods: Iterable[Pod], pod: Pod) -> tuple[Pod, ...]:
    """One more of its workload, unless it was among them from the beginning."""
    return (*(each for each in pods if each.uid != pod.uid), pod)
