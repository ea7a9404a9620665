"""Faults that only a lab can have, because no public API does them: named as what they are.

``lab.control_plane``: the AWS and Kubernetes APIs of a region never answer. ``lab.data_stores``: the processes of its
databases and caches are killed, and stay down. Both pass the gate like any other change; the lab's admin API applies
them. A region whose stores come back after a fail-over comes back as a standby, never as a second writer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blackstart.access import Need
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import ZONE, Change, Share, new_id
from blackstart.errors import LabError
from blackstart.lab.client import CONTROL_PLANE, DATA_STORES, LabClient
from blackstart.lab.topology import ACCOUNT
from blackstart.scope import Target

LAB_VARIABLE = "BLACKSTART_LAB"
WORKS, LAB = "works", "lab"


@dataclass(frozen=True)
class LabRegion:
    """A region of the lab whose admin API is at ``lab``: whether its control plane and its data stores work."""

    lab: str
    region: str
    control_plane: bool
    data_stores: bool


def find_region(environ: Mapping[str, str], region: str) -> LabRegion:
    """How ``region`` is now, in the lab that ``$BLACKSTART_LAB`` names; LabError if that is no lab of it."""
    lab = environ.get(LAB_VARIABLE, "")
    if not lab:
        raise LabError(
            f"break region {region}",
            f"${LAB_VARIABLE} is not set, so this is no lab",
            "run this in a lab (`blackstart lab run`)",
        )
    found = LabClient(lab).faults()
    if region not in found:
        raise LabError(f"break region {region}", f"the lab at {lab} has the regions {', '.join(sorted(found))}")
    return LabRegion(lab, region, found[region][CONTROL_PLANE], found[region][DATA_STORES])


def plan_control_plane(found: LabRegion, change_id: str, step: int = 0) -> Change:
    """The region's AWS and Kubernetes APIs stop answering. Pure."""
    return Change(
        id=change_id,
        kind=ControlPlane.name,
        target=_target("control plane", found),
        before={LAB: found.lab, WORKS: found.control_plane},
        after={LAB: found.lab, WORKS: False},
        summary=f"control plane of {found.region}: unreachable (lab only)",
        undo_summary="letting it answer again",
        calls=("lab:POST /faults",),
        step=step,
        share=_whole(found),
    )


def plan_data_stores(found: LabRegion, change_id: str, step: int = 0) -> Change:
    """The region's databases and caches are killed. Pure."""
    return Change(
        id=change_id,
        kind=DataStores.name,
        target=_target("data stores", found),
        before={LAB: found.lab, WORKS: found.data_stores},
        after={LAB: found.lab, WORKS: False},
        summary=f"data stores of {found.region}: killed (lab only)",
        undo_summary="starting them again",
        calls=("lab:POST /faults",),
        step=step,
        share=_whole(found),
    )


def _whole(found: LabRegion) -> Share:
    """All zones of the region at once, so that the scope has to allow it."""
    return Share(ZONE, f"{found.region} as a whole", (found.region,), 1)


def _target(kind: str, found: LabRegion) -> Target:
    return Target(kind, found.region, account=ACCOUNT, region=found.region, tags={"blackstart": "allowed"})


class _LabFault(CompareAndRestore):
    """``member`` is what the admin API calls it, ``part`` what it is of a region."""

    member: str
    part: str
    permissions = ("lab:faults",)

    def needs(self, change: Change) -> Sequence[Need]:
        return ()  # the lab's admin API asks for none

    def plan_region(self, region: str, clients: Clients, step: int) -> Sequence[Change]:
        """This fault in ``region`` of the lab that the environment names."""
        plan = plan_control_plane if self.member == CONTROL_PLANE else plan_data_stores
        return [plan(find_region(os.environ, region), new_id(), step)]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {}
        for change in changes:
            regions = LabClient(change.before[LAB]).faults()
            works = regions.get(change.target.region)
            found[change.id] = None if works is None else {LAB: change.before[LAB], WORKS: works[self.member]}
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            lab = LabClient(item.change.before[LAB])
            lab.set(item.change.target.region, {self.member: bool(item.fields[WORKS])})


class ControlPlane(_LabFault):
    """A region's AWS and Kubernetes APIs answer, or do not."""

    name = "lab.control_plane"
    member = CONTROL_PLANE
    part = "control-plane"


class DataStores(_LabFault):
    """A region's databases and caches run, or do not."""

    name = "lab.data_stores"
    member = DATA_STORES
    part = "data"
