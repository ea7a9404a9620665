"""Instances as EC2 describes them, in as few calls as it takes. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from blackstart.changes.clients import Clients
from blackstart.changes.network import tags_of

Item = TypeVar("Item")
GROUP_TAG = "aws:autoscaling:groupName"
PAGE = 1000
FILTER_VALUES = 200
"""The most values that EC2 takes in a filter."""


@dataclass(frozen=True)
class Instance:
    """One running instance, as found. ``group``: its Auto Scaling group, or "". ``protected``: EC2 would refuse to
    terminate it; only looked up where it would have to be."""

    id: str
    zone: str
    spot: bool
    disk: str
    public: bool
    group: str
    tags: Mapping[str, str]
    protected: bool = False

    @property
    def stoppable(self) -> bool:
        return self.disk == "ebs" and not self.spot


def instance_of(item: Mapping[str, Any], protected: bool = False) -> Instance:
    """What EC2 described, in our terms. Pure."""
    return Instance(
        item["InstanceId"],
        item["Placement"]["AvailabilityZone"],
        item.get("InstanceLifecycle") == "spot",
        item.get("RootDeviceType", ""),
        bool(item.get("PublicIpAddress")),
        tags_of(item).get(GROUP_TAG, ""),
        tags_of(item),
        protected,
    )


def described(clients: Clients, region: str, filters: Mapping[str, Sequence[str]]) -> Iterator[Any]:
    """Every instance of ``region`` that the ``filters`` let through."""
    pages = (
        clients.aws("ec2", region)
        .get_paginator("describe_instances")
        .paginate(
            Filters=[{"Name": name, "Values": list(values)} for name, values in filters.items()],
            PaginationConfig={"PageSize": PAGE},
        )
    )
    for page in pages:
        for reservation in page["Reservations"]:
            yield from reservation["Instances"]


def by_id(clients: Clients, region: str, ids: Collection[str]) -> Iterator[Any]:
    """Those of ``ids`` that EC2 knows.

    Asked by filter, because one unknown id among many would fail the whole call.
    """
    for some in chunks(sorted(set(ids)), FILTER_VALUES):
        yield from described(clients, region, {"instance-id": some})


def protected(clients: Clients, region: str, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` with termination protection. One call each: EC2 does not tell it of many at once."""
    ec2 = clients.aws("ec2", region)
    found = set()
    for instance in ids:
        answer = ec2.describe_instance_attribute(InstanceId=instance, Attribute="disableApiTermination")
        if answer.get("DisableApiTermination", {}).get("Value"):
            found.add(instance)
    return found


def chunks(values: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """``values`` in lists of at most ``size``. Pure."""
    return (list(values[start : start + size]) for start in range(0, len(values), size))
