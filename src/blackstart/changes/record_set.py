"""Sending a name elsewhere in Route 53: weights are shifted, failover, geolocation and simple records repointed.

An UPSERT replaces the whole record set, so what is written is the set as it is now, with just our fields altered. The
call answers before Route 53's servers know of it: a change counts as applied once GetChange says INSYNC, if its id is
still known, which a process keeps for itself only; else by what the record sets say.

Route 53's control plane is in us-east-1: while that is lost, records can be neither changed nor put back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Json, new_id
from blackstart.errors import NotYet, Refused, TargetChanged
from blackstart.scope import Target

WEIGHT, VALUES, ALIAS, CHECK = "weight", "values", "alias", "health check"
WHOLE, NOW = "record set", "now"
ALIAS_TARGET = "AliasTarget"
LIST, CHANGE, PROGRESS = (
    f"route53:{name}" for name in ("ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange")
)
NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
PATIENCE_SECONDS = 180.0  # until Route 53's servers have it, which takes about a minute
HEAVIEST = 255


@dataclass(frozen=True)
class Records:
    """All record sets of one name and type, whole, as ListResourceRecordSets gives them. ``zone``: the hosted zone's
    id; ``tags``: those of the hosted zone, as record sets have none. ``name`` ends in a dot."""

    zone: str
    name: str
    type: str
    account: str
    sets: tuple[Mapping[str, Json], ...]
    tags: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name.rstrip('.')} {self.type}"


def find_records(clients: Clients, zone: str, name: str, record_type: str = "A") -> Records:
    """The record sets of ``name`` in hosted zone ``zone`` (id or name); Refused if there are none. Read-only."""
    route53, subject = clients.aws("route53"), f"changing records of {name}"
    hosted = _hosted_zone(route53, zone, subject)
    found = _listed(route53, hosted, _absolute(name))
    sets = tuple(each for each in found if each["Type"] == record_type)
    if not sets:
        types = ", ".join(sorted({each["Type"] for each in found})) or "no"
        raise Refused(subject, f"hosted zone {hosted} has {types} records of that name, and none of type {record_type}")
    tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=hosted)["ResourceTagSet"]
    told = {tag["Key"]: tag["Value"] for tag in tags.get("Tags", [])}
    return Records(hosted, _absolute(name), record_type, clients.account(), sets, told)


def _hosted_zone(route53: Any, zone: str, subject: str) -> str:
    if "." not in zone:
        return zone.removeprefix("/hostedzone/")
    listed = route53.list_hosted_zones_by_name(DNSName=_absolute(zone))["HostedZones"]
    ids = [each["Id"].rpartition("/")[2] for each in listed if each["Name"] == _absolute(zone)]
    if len(ids) != 1:
        raise Refused(subject, f"{len(ids)} hosted zones are called {zone} ({', '.join(ids) or 'none'}); give an id")
    return str(ids[0])


def _listed(route53: Any, zone: str, name: str) -> list[dict[str, Json]]:
    """The record sets of ``name``, of all types: they come in the order of names, so no more is read than those."""
    found: list[dict[str, Json]] = []
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone, StartRecordName=name):
        same = [each for each in page["ResourceRecordSets"] if each["Name"].lower() == name]
        found += same
        if len(same) < len(page["ResourceRecordSets"]):
            break
    return found


def _absolute(name: str) -> str:
    return name.lower().rstrip(".") + "."


def plan_weights(
    found: Records, weights: Mapping[str, int], *, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """The records of ``found`` get ``weights`` (0–255), by their set identifiers; those not named keep theirs. Pure.

    Empty if they have them already. Refused if one is not weighted, or if no weight above 0 would be left.
    """
    subject = f"shifting weights of {found}"
    by_id = {each.get("SetIdentifier", ""): each for each in found.sets}
    for name, weight in weights.items():
        if by_id.get(name, {}).get("Weight") is None:
            weighted = ", ".join(sorted(each for each, its in by_id.items() if "Weight" in its)) or "none"
            raise Refused(subject, f'it has no weighted record "{name}"; there are: {weighted}')
        if not 0 <= weight <= HEAVIEST:
            raise Refused(subject, f"{weight} is no weight; they go from 0 to {HEAVIEST}")
    if not any(weights.get(name, its.get("Weight")) for name, its in by_id.items()):
        raise Refused(subject, "all weights would be 0, and then Route 53 answers with all of them alike")
    return [
        _altered(
            found, by_id[name], {WEIGHT: weight}, f"weight {by_id[name]['Weight']} → {weight}", (new_change(), step)
        )
        for name, weight in weights.items()
        if by_id[name]["Weight"] != weight
    ]


def plan_repoint(
    found: Records,
    to: Sequence[str],
    *,
    record: str = "",
    health_check: str | None = None,
    alias_zone: str = "",
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """One record of ``found`` answers with ``to`` from now on: its values; of an alias the one name that it stands for,
    in hosted zone ``alias_zone`` ("": the same as now). Pure.

    ``record``: its set identifier, needed where there are several. ``health_check``: another one for it, "" for none,
    None leaves it the one it has. Refused if there is no such record, or if it points there already.
    """
    subject = f"repointing {found}"
    chosen = [each for each in found.sets if record in ("", each.get("SetIdentifier", ""))]
    if len(chosen) != 1:
        names = ", ".join(sorted(each.get("SetIdentifier", "") for each in found.sets))
        raise Refused(subject, f'{len(chosen)} records are meant by "{record}"; name one of: {names}')
    if not to or (ALIAS_TARGET in chosen[0] and len(to) != 1):
        raise Refused(subject, "nothing is given that it could point to" if not to else "an alias stands for one name")
    before, fields = fields_of(chosen[0]), _pointed(chosen[0], to, alias_zone)
    if health_check is not None:
        fields[CHECK] = health_check
    if all(before[name] == value for name, value in fields.items()):
        raise Refused(subject, f"it points to {', '.join(to)} already")
    told = f"{_where(before)} → {', '.join(to)}"
    if health_check is not None:
        told += f", with {f'health check {health_check}' if health_check else 'no health check'}"
    return [_altered(found, chosen[0], fields, told, (new_change(), step))]


def _pointed(record: Mapping[str, Json], to: Sequence[str], alias_zone: str) -> dict[str, Json]:
    if ALIAS_TARGET not in record:
        return {VALUES: sorted(to)}
    alias = dict(record[ALIAS_TARGET], DNSName=_absolute(to[0]))
    return {ALIAS: alias | ({"HostedZoneId": alias_zone} if alias_zone else {})}


def _where(fields: Mapping[str, Json]) -> str:
    return str(fields[ALIAS]["DNSName"]) if fields[ALIAS] else ", ".join(fields[VALUES])


def _altered(
    found: Records, record: Mapping[str, Json], fields: Mapping[str, Json], told: str, place: tuple[str, int]
) -> Change:
    """``place``: the change's id and step."""
    if "TrafficPolicyInstanceId" in record:
        policy = record["TrafficPolicyInstanceId"]
        raise Refused(f"changing {found}", f"it belongs to traffic policy instance {policy}, which would set it back")
    identifier = record.get("SetIdentifier", "")
    before = {name: value for name, value in fields_of(record).items() if name in fields}
    named = f"{found}{f' ({identifier})' if identifier else ''}"
    return Change(
        id=place[0],
        kind=RecordSet.name,
        target=Target(
            "record set",
            "/".join(filter(None, (found.zone, found.name, found.type, identifier))),
            account=found.account,
            tags=dict(found.tags),
        ),
        before={**before, WHOLE: dict(record)},
        after={**fields, WHOLE: dict(record)},
        summary=f"record {named}: {told}",
        undo_summary=f"giving it back its {' and '.join(sorted(fields))}",
        calls=(CHANGE,),
        step=place[1],
    )


def fields_of(record: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of a record set that we may alter, in a form that compares."""
    alias = record.get(ALIAS_TARGET)
    return {
        WEIGHT: record.get("Weight"),
        VALUES: sorted(each["Value"] for each in record.get("ResourceRecords", ())),
        ALIAS: dict(alias, DNSName=_absolute(alias["DNSName"])) if alias else None,
        CHECK: record.get("HealthCheckId", ""),
    }


def overlaid(record: Mapping[str, Json], fields: Mapping[str, Json]) -> dict[str, Json]:
    """``record``, whole, with ``fields`` as ``fields_of`` gives them. Pure."""
    made = dict(record)
    if WEIGHT in fields:
        made["Weight"] = fields[WEIGHT]
    if VALUES in fields:
        made["ResourceRecords"] = [{"Value": value} for value in fields[VALUES]]
    if ALIAS in fields:
        made[ALIAS_TARGET] = fields[ALIAS]
    if CHECK in fields:
        made.pop("HealthCheckId", None)
        made |= {"HealthCheckId": fields[CHECK]} if fields[CHECK] else {}
    return made


class RecordSet(CompareAndRestore):
    """Weight, values, alias target and health check of a record set; those of one fault change all at once."""

    name: ClassVar[str] = "route53.record_set"
    permissions: ClassVar[tuple[str, ...]] = (LIST, CHANGE, PROGRESS)
    batch_size: ClassVar[int] = 50
    at_once: ClassVar[int] = 1  # Route 53 takes five calls a second of an account, and one change of a zone at a time
    joined: ClassVar[bool] = True

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}  # Route 53's ids of what this process changed and has not seen INSYNC, by ours

    def needs(self, change: Change) -> Sequence[Need]:
        zone = arn("route53", "", "", f"hostedzone/{_zone(change)}")
        named = ("ForAllValues:StringEquals", NAMES, change.before[WHOLE]["Name"].lower().rstrip("."))
        progress = Aws(PROGRESS, (arn("route53", "", "", "change/*"),))
        return [Aws(LIST, (zone,)), Aws(CHANGE, (zone,), when=named), progress]

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        super().apply(changes, clients)
        for change in self._on_their_way(changes, clients):
            raise NotYet(str(change.target), "on its way to Route 53's servers", PATIENCE_SECONDS, begun=True)

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        found = dict(super().verify(changes, clients))
        for change in self._on_their_way(changes, clients):
            if found[change.id].done:
                found[change.id] = Outcome(Ending.PENDING, f"{change.target} is on its way back to Route 53's servers")
        return found

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        route53 = clients.aws("route53")
        names = {(_zone(change), change.before[WHOLE]["Name"].lower()) for change in changes}
        listed: dict[tuple[str, str], list[dict[str, Json]]] = {}
        for zone, name in sorted(names):
            try:
                listed[zone, name] = _listed(route53, zone, name)
            except route53.exceptions.NoSuchHostedZone:
                listed[zone, name] = []
        return {
            change.id: _seen(change, listed[_zone(change), change.before[WHOLE]["Name"].lower()]) for change in changes
        }

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        route53 = clients.aws("route53")
        for zone in sorted({_zone(item.change) for item in wanted}):
            mine = [item for item in wanted if _zone(item.change) == zone]
            sets = [overlaid(item.seen[NOW], item.fields) for item in mine]
            batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in sets]}
            try:
                answer = route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
            except route53.exceptions.InvalidChangeBatch as error:
                raise TargetChanged(str(mine[0].change.target), f"Route 53 does not take it: {error}") from error
            sent = answer["ChangeInfo"]["Id"].rpartition("/")[2]
            self._sent |= dict.fromkeys((item.change.id for item in mine), sent)

    def _on_their_way(self, changes: Sequence[Change], clients: Clients) -> list[Change]:
        """Those that this process has written, and not all of Route 53's servers have."""
        route53 = clients.aws("route53")
        late = []
        for sent in sorted({self._sent[change.id] for change in changes if change.id in self._sent}):
            mine = [change for change in changes if self._sent.get(change.id) == sent]
            try:
                status = route53.get_change(Id=sent)["ChangeInfo"]["Status"]
            except route53.exceptions.NoSuchChange:
                status = "INSYNC"  # so long ago that Route 53 has forgotten it
            if status == "INSYNC":
                for change in mine:
                    self._sent.pop(change.id, None)
            else:
                late += mine
        return late


def _zone(change: Change) -> str:
    return change.target.id.partition("/")[0]


def _seen(change: Change, listed: Sequence[Mapping[str, Json]]) -> Seen:
    whole = change.before[WHOLE]
    wanted = (whole["Type"], whole.get("SetIdentifier", ""))
    for record in listed:
        if (record["Type"], record.get("SetIdentifier", "")) == wanted:
            return {**fields_of(record), WHOLE: whole, NOW: record}
    return None
