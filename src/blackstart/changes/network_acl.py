"""Cutting zones off: every subnet of them goes behind a network ACL that denies everything.

``ec2.deny_all_acl`` makes the ACL, one for a VPC: a new ACL has no rules but the last, which denies all IPv4 and
IPv6. It carries the change's id as client token and as tag, so that undo finds it even if the answer to its creation
never came. ``ec2.subnet_acl`` points one subnet at it. Association ids change with every swap, so they are read anew
each time, never kept. Traffic within a subnet, DNS, DHCP and instance metadata pass a network ACL unfiltered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, everything
from blackstart.changes import pool
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import TAG, ZONE, Change, Share, new_id
from blackstart.changes.network import Subnet, Vpc
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

FIS_TAG = "managedByFIS"
EXISTS, ACL, ASSOCIATION, MADE_BY = "exists", "acl", "association", "made by "
OURS = ("Null", f"aws:ResourceTag/{TAG}", "false")
"""The IAM condition that a network ACL carries our tag: its id is not known before it is made."""


@dataclass(frozen=True)
class Fences:
    """The network ACL of each subnet (by id) of one VPC, and the ACLs that AWS FIS has put there."""

    of: Mapping[str, str]
    by_fis: tuple[str, ...]


def find_acls(clients: Clients, vpc: Vpc) -> Fences:
    """Which ACL guards which subnet. Read-only."""
    acls = _acls(clients, vpc.region, [("vpc-id", [vpc.id])])
    of = {item["SubnetId"]: acl["NetworkAclId"] for acl in acls for item in acl["Associations"]}
    return Fences(of, tuple(acl["NetworkAclId"] for acl in acls if _tag(acl, FIS_TAG) == "true"))


def plan_black_hole(
    vpc: Vpc, zones: Collection[str], fences: Fences, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """Every subnet of ``zones`` behind one deny-all ACL; empty if none of them is there. Pure.

    Refused if AWS FIS is cutting off subnets of this VPC already, or if a subnet is not the account's own.
    """
    subnets = [subnet for subnet in vpc.subnets if subnet.zone in zones]
    if not subnets:
        return []
    subject = f"cutting off {', '.join(sorted(zones))}"
    shared = [f"{subnet.id} of account {subnet.owner}" for subnet in subnets if subnet.owner not in ("", vpc.account)]
    if shared:
        raise Refused(
            subject,
            f"{vpc.id} is shared with this account, and only its owner may change network ACLs ({', '.join(shared)}); "
            "run the drill as the owner",
        )
    if fences.by_fis:
        raise Refused(
            subject,
            f"AWS FIS has an experiment in {vpc.id} (network ACL {', '.join(fences.by_fis)}); wait for its end",
        )
    fence = Change(
        id=new_change(),
        kind=DenyAllAcl.name,
        target=Target("vpc", vpc.id, account=vpc.account, region=vpc.region, tags=dict(vpc.tags)),
        before={EXISTS: False},
        after={EXISTS: True},
        summary=f"{vpc.id}: new network ACL that denies everything",
        undo_summary="deleting it",
        calls=("ec2:CreateNetworkAcl",),
    )
    return [fence, *(_fenced(vpc, subnet, fences.of[subnet.id], fence.id, new_change()) for subnet in subnets)]


def _fenced(vpc: Vpc, subnet: Subnet, acl: str, fence: str, change_id: str) -> Change:
    return Change(
        id=change_id,
        kind=SubnetAcl.name,
        target=Target(
            "subnet", subnet.id, account=vpc.account, region=vpc.region, zone=subnet.zone, tags=dict(subnet.tags)
        ),
        before={ACL: acl},
        after={ACL: MADE_BY + fence},
        summary=f"subnet {subnet.id} ({subnet.zone}): network ACL {acl} → deny all",
        undo_summary=f"giving it {acl} back",
        calls=("ec2:ReplaceNetworkAclAssociation",),
        step=1,
        share=Share(ZONE, vpc.region, (subnet.zone,), len(vpc.zones)),
    )


class DenyAllAcl(CompareAndRestore):
    """The deny-all ACL of one VPC exists, or does not."""

    name: ClassVar[str] = "ec2.deny_all_acl"
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:DescribeNetworkAcls",
        "ec2:CreateNetworkAcl",
        "ec2:CreateTags",
        "ec2:DeleteNetworkAcl",
    )

    def needs(self, change: Change) -> Sequence[Need]:
        any_acl, vpc = _arn(change, "network-acl/*"), _arn(change, f"vpc/{change.target.id}")
        create = "CreateNetworkAcl"
        narrowed = (
            Aws(f"ec2:{create}", (any_acl, vpc)),
            Aws("ec2:CreateTags", (any_acl,), ("StringEquals", "ec2:CreateAction", create), f"ec2:{create}"),
            Aws("ec2:DeleteNetworkAcl", (any_acl,), OURS),
        )
        return everything(self.permissions, change.target.region, narrowed)

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: {EXISTS: bool(_made_by(clients, change.target.region, change.id))} for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            change, region = item.change, item.change.target.region
            if item.fields[EXISTS]:
                clients.aws("ec2", region).create_network_acl(
                    VpcId=change.target.id,
                    ClientToken=change.id,
                    TagSpecifications=[
                        {"ResourceType": "network-acl", "Tags": [{"Key": TAG, "Value": change.id}]},
                    ],
                )
            else:
                for acl in _made_by(clients, region, change.id):
                    clients.aws("ec2", region).delete_network_acl(NetworkAclId=acl)


class SubnetAcl(CompareAndRestore):
    """Which ACL guards one subnet."""

    name: ClassVar[str] = "ec2.subnet_acl"
    permissions: ClassVar[tuple[str, ...]] = ("ec2:DescribeNetworkAcls", "ec2:ReplaceNetworkAclAssociation")
    batch_size: ClassVar[int] = 200  # the most subnets that one describe_network_acls can be asked for

    def needs(self, change: Change) -> Sequence[Need]:
        swap, subnet = self.permissions[1], _arn(change, f"subnet/{change.target.id}")
        before, ours = _arn(change, f"network-acl/{change.before[ACL]}"), _arn(change, "network-acl/*")
        return everything(
            self.permissions, change.target.region, (Aws(swap, (before, subnet)), Aws(swap, (ours,), OURS))
        )

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found = _guarding(clients, changes)
        return {change.id: found.get(change.target.id) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        wished = {(item.change.target.region, str(item.fields[ACL])) for item in wanted}
        ids = {acl: _id(clients, region, acl) for region, acl in wished}

        def swap(item: Wanted) -> None:
            ec2 = clients.aws("ec2", item.change.target.region)
            _swap(ec2, item.seen[ASSOCIATION], ids[str(item.fields[ACL])], item.change.target)

        pool.each(swap, wanted)


def _swap(ec2: Any, association: str, acl: str, subnet: Target) -> None:
    try:
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    except ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "InvalidAssociationID.NotFound":
            raise
        # Each swap makes a new association: the read lagged, or the call got through before and was made again.
        raise NotYet(str(subnet), "seen with an association that it no longer has") from error


def _arn(change: Change, resource: str) -> str:
    return arn("ec2", change.target.region, change.target.account, resource)


def _guarding(clients: Clients, changes: Sequence[Change]) -> dict[str, dict[str, str]]:
    """The ACL and the present association of each change's subnet, by subnet id; a missing subnet is left out."""
    found: dict[str, dict[str, str]] = {}
    for region in {change.target.region for change in changes}:
        subnets = [change.target.id for change in changes if change.target.region == region]
        for acl in _acls(clients, region, [("association.subnet-id", subnets)]):
            for item in acl["Associations"]:
                if item["SubnetId"] in subnets:
                    found[item["SubnetId"]] = {ACL: _called(acl), ASSOCIATION: item["NetworkAclAssociationId"]}
    return found


def _called(acl: Mapping[str, Any]) -> str:
    """An ACL that a change made is named by that change: its own id is not known when the change is planned."""
    maker = _tag(acl, TAG)
    return MADE_BY + maker if maker else str(acl["NetworkAclId"])


def _made_by(clients: Clients, region: str, change_id: str) -> list[str]:
    return [acl["NetworkAclId"] for acl in _acls(clients, region, [(f"tag:{TAG}", [change_id])])]


def _id(clients: Clients, region: str, acl: str) -> str:
    """The id of an ACL as ``_called`` names it."""
    if not acl.startswith(MADE_BY):
        return acl
    change_id = acl.removeprefix(MADE_BY)
    made = _made_by(clients, region, change_id)
    if not made:
        raise NotYet(f"the network ACL of change {change_id}", "not to be seen")
    return made[0]


def _acls(clients: Clients, region: str, filters: Iterable[tuple[str, list[str]]]) -> list[dict[str, Any]]:
    pages = (
        clients.aws("ec2", region)
        .get_paginator("describe_network_acls")
        .paginate(Filters=[{"Name": name, "Values": values} for name, values in filters])
    )
    return [acl for page in pages for acl in page["NetworkAcls"]]


def _tag(thing: Mapping[str, Any], key: str) -> str:
    return next((str(tag["Value"]) for tag in thing.get("Tags", []) if tag["Key"] == key), "")
