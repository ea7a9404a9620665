"""A region lost on moto, whole and in part: in which order, what is refused, and the way back."""

from dataclasses import replace
from random import Random

import pytest
from file_text import FileText

from blackstart.actions.regions import _homeward, fail_back, lose_region
from blackstart.changes.gate import inject
from blackstart.changes.global_cache import GlobalCache, GlobalMember
from blackstart.changes.global_database import GlobalDatabase
from blackstart.changes.global_database import GlobalMember as Cluster
from blackstart.changes.health_check import find_health_check, plan_inversion
from blackstart.changes.log import Entry, Fault
from blackstart.changes.model import Change, State
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls
from blackstart.changes.region import Loss, Pledged, check_parts, plan_region_loss
from blackstart.changes.registry import Kinds
from blackstart.drill import DRILL_KEY, RunningDrill
from blackstart.errors import ConfigInvalid, Refused
from blackstart.observer import events
from blackstart.observer.events import EventLog
from blackstart.scope import Target
from blackstart.settings import Service, Settings

REGION, STANDBY = "us-east-1", "us-west-2"
TAGS = {"blackstart": "allowed"}
NOTHING = Pledged("")


class Stores(FileText):
    """What takes a region's data stores away here: the text of a file. Its target is named by the class's region."""

    name = "test.stores"
    part = "data"

    def plan_region(self, region, clients, step):
        target = Target("file", "/nowhere", account="123456789012", region=region, tags=TAGS)
        return [Change(f"bs-{self.name}", self.name, target, {"text": "a"}, {"text": "b"}, self.name, "-", step=step)]


class Plane(Stores):
    name = "test.plane"
    part = "control-plane"


KINDS = Kinds([Stores(), Plane()])


@pytest.fixture
def loss(clients, vpc):
    found = find_vpc(clients, REGION, vpc)
    return Loss(found, find_acls(clients, found), kinds=("test.plane", "test.stores"))


@pytest.fixture
def health_check(clients):
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80, "ResourcePath": "/"}
    route53 = clients.aws("route53")
    made = route53.create_health_check(CallerReference="1", HealthCheckConfig=config)["HealthCheck"]["Id"]
    tags = [{"Key": "blackstart", "Value": "allowed"}]
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=made, AddTags=tags)
    return made


def steps(changes):
    return [(change.step, change.kind) for change in changes]


def database(writer=REGION, synchronised=True):
    arns = {each: f"arn:aws:rds:{each}:123456789012:cluster:shop-{each}" for each in (REGION, STANDBY)}
    members = tuple(Cluster(arn, each == writer, synchronised) for each, arn in arns.items())
    return GlobalDatabase(
        "shop", "arn:aws:rds::123456789012:global-cluster:shop", "123456789012", STANDBY, members, TAGS
    )


def cache(primary=REGION, associated=True):
    members = tuple(GlobalMember(each, f"shop-{each}", each == primary, associated) for each in (REGION, STANDBY))
    return GlobalCache("ldgnf-shop", "arn:aws:elasticache::123456789012:x:ldgnf-shop", STANDBY, members, TAGS)


def test_the_whole_region_goes_in_its_order_and_pledges_come_first_so_that_they_are_undone_last(loss, clients):
    changes = plan_region_loss(loss, Pledged(STANDBY, database(), cache()), KINDS, clients)
    assert steps(changes) == [
        (0, "rds.global_writer"),
        (0, "elasticache.global_primary"),
        (1, "ec2.deny_all_acl"),
        *[(2, "ec2.subnet_acl")] * 3,
        (3, "test.stores"),
        (4, "test.plane"),
    ]


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        (("network",), ["ec2.deny_all_acl", *["ec2.subnet_acl"] * 3]),
        (("data",), ["test.stores"]),
        (("control-plane",), ["test.plane"]),
        (("control-plane", "data"), ["test.stores", "test.plane"]),
    ],
)
def test_a_part_alone_leaves_the_others(loss, clients, parts, kinds):
    changes = plan_region_loss(replace(loss, parts=parts), NOTHING, KINDS, clients)
    assert [change.kind for change in changes] == kinds
    assert replace(loss, parts=parts).subject == f"losing {' and '.join(parts)} of region us-east-1"


def test_traffic_goes_by_the_health_check_and_comes_back_after_the_network(loss, clients, health_check):
    check = find_health_check(clients, health_check)
    changes = plan_region_loss(replace(loss, health_check=check), NOTHING, KINDS, clients)
    assert steps(changes)[:2] == [(1, "route53.health_check"), (2, "ec2.deny_all_acl")]


def test_data_alone_can_go_with_its_subnets_and_comes_back(loss, clients, aws_gate):
    subnet = loss.vpc.subnets[1]
    clients.aws("ec2", REGION).create_tags(Resources=[subnet.id], Tags=[{"Key": "tier", "Value": "data"}])
    found = find_vpc(clients, REGION, loss.vpc.id)
    some = replace(loss, vpc=found, parts=("data",), data_subnets=("tier=data",), kinds=())
    changes = plan_region_loss(some, NOTHING, KINDS, clients)
    assert [change.target.id for change in changes] == [found.id, subnet.id]
    inject(changes, aws_gate, some.subject, region_drill=True)
    guarded = {name for name, acl in find_acls(clients, found).of.items() if acl != loss.fences.of[name]}
    assert guarded == {subnet.id}
    with pytest.raises(Refused, match="has no subnet that is or carries tier=none"):
        plan_region_loss(replace(some, data_subnets=("tier=none",)), NOTHING, KINDS, clients)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("data", "there is no data to take away: name the subnets of its data stores"),
        ("control-plane", "there is no control-plane to take away: AWS cannot take one away"),
        ("traffic", "there is no traffic to take away: name the health check"),
    ],
)
def test_a_part_that_nothing_here_takes_away_is_refused(loss, clients, part, reason):
    with pytest.raises(Refused, match=reason):
        plan_region_loss(replace(loss, parts=(part,), kinds=()), NOTHING, KINDS, clients)


def test_a_part_that_no_region_has_and_a_kind_without_a_fault_for_a_region_are_no_configuration(loss, clients):
    with pytest.raises(ConfigInvalid, match="a region has no part 'power'"):
        check_parts(["power"])
    with pytest.raises(ConfigInvalid, match="no fault for a whole region"):
        plan_region_loss(replace(loss, kinds=("ec2.subnet_acl",)), NOTHING, Kinds(), clients)


@pytest.mark.parametrize(
    ("pledged", "reason"),
    [
        (Pledged(STANDBY, database(writer=STANDBY)), "writer in us-west-2, so this is not the primary region"),
        (Pledged(STANDBY, database(synchronised=False)), "database shop is not replicating to us-west-2"),
        (Pledged("eu-west-1", database()), "database shop has no member in eu-west-1, so nothing could take over"),
        (Pledged(STANDBY, None, cache(primary=STANDBY)), "cache ldgnf-shop has its writer in us-west-2"),
        (Pledged(STANDBY, None, cache(associated=False)), "cache ldgnf-shop is not replicating to us-west-2"),
    ],
)
def test_a_pledge_that_could_not_be_kept_is_refused(loss, clients, pledged, reason):
    with pytest.raises(Refused, match=f"not losing region us-east-1: global .*{reason}"):
        plan_region_loss(loss, pledged, KINDS, clients)


@pytest.fixture
def running(tmp_path, aws_gate):
    """A drill without an observer."""
    (tmp_path / "drill.json").write_text('{"origin_monotonic": 1000.0}')
    scope = aws_gate.scope
    service = Service(name="orders", host="127.0.0.1", port=1, home_region=REGION)
    clock = aws_gate.reach.clock
    log = EventLog(tmp_path, clock, clock.monotonic())
    return RunningDrill("drill-1", tmp_path, Settings(scope=scope, service=service), aws_gate, log, Random(1), clock)


def kinds_open(drill):
    return [entry.change.kind for entry in drill.gate.reach.log.entries(drill.id) if entry.open]


def test_failing_back_undoes_the_region_and_then_what_came_after_it_and_notes_when(running, vpc, health_check):
    at = {DRILL_KEY: running}
    lose_region(REGION, vpc, configuration=at)
    running.inject(plan_inversion(find_health_check(running.clients, health_check)), "switching DNS")
    told = fail_back(REGION, configuration=at)
    assert kinds_open(running) == []
    assert len(told["verified"]) == 5
    noted = [event.fields["state"] for event in events.read(running.journal) if event.kind == "failback"]
    assert noted == ["began", "ended"]


def test_a_region_that_was_not_lost_cannot_be_come_back_to(running):
    with pytest.raises(Refused, match="not failing back to region us-east-1: this drill has not lost it"):
        fail_back(REGION, configuration={DRILL_KEY: running})


def test_pledges_need_to_know_who_survives(running, vpc):
    with pytest.raises(ConfigInvalid, match="standby_region"):
        lose_region(REGION, vpc, global_cluster="shop", configuration={DRILL_KEY: running})


def test_the_way_back_moves_users_first_and_gives_back_what_was_prepared_before_the_loss_last():
    made = [
        "kubernetes.config_value",
        "ec2.subnet_acl",
        "rds.global_failover",
        "kubernetes.replicas",
        "arc.routing_control",
    ]
    subjects = ["suspending", "losing region us-east-1", "promoting", "scaling", "switching"]
    entries = [
        Entry(
            Change(f"bs-{at}", kind, Target("x", "x"), {}, {}, "", ""), "d", at, Fault(subject, 0.0), State.APPLIED, ""
        )
        for at, (kind, subject) in enumerate(zip(made, subjects, strict=True), 1)
    ]
    assert _homeward(entries, REGION, "failing back") == ([2, 3, 5], [4, 1])
