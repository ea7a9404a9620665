"""Every rung of the ladder, through the gate: what it refuses changes nothing, and no other rung would have."""

from dataclasses import replace

import pytest
from file_text import FileText

from blackstart.changes import guards
from blackstart.changes.gate import inject
from blackstart.changes.guards import Finding, Request, ask, refusal
from blackstart.changes.model import Share
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.changes.undo import undo
from blackstart.errors import Refused, ServiceUnreachable
from blackstart.scope import Freeze, Query, StopConditions, Window

WRITING = "writing on the files"
ACCOUNT, OTHER, REGION = "123456789012", "999999999999", "us-east-1"
PODS = Share("pod", "shop/shop Deployment orders", ("a", "b"), 3)
OFFICE = Window(start="10:00", end="16:00", timezone="Europe/Berlin")  # the desk's clock says midnight
NEW_YEAR = Freeze(reason="New Year", begins="2025-12-31", ends="2026-01-02")
BUDGET = Query(name="error budget left", url="http://127.0.0.1:9", query="budget", below=0.2)


class Emptied(FileText):
    """A kind that the name says of: what it takes, nobody puts back."""

    name = "test.emptied"


class TeamLog(SqliteLog):
    """A log that lives somewhere."""

    region = REGION


def zones(*names, total=3, of=REGION):
    return Share("zone", of, names, total)


CASES = {
    "targets": ([], {}, "no file matches"),
    "identity": ([{"account": OTHER}], {"accounts": (ACCOUNT, OTHER)}, "the credentials reach account 123456789012"),
    "scope": ([{"region": "eu-west-1"}], {}, "region eu-west-1, which is outside the scope"),
    "shares": ([{"share": PODS}], {}, "would take 2 of 3 pods of shop/shop Deployment orders at once"),
    "disruption budgets": (
        [{"past_budget": "budget shop/orders"}],
        {},
        "would go past budget shop/orders",
    ),
    "cold caches": ([{}], {}, "and the scope does not say cold_caches = true"),
    "undo log": ([{}], {}, "and the undo log are both in region us-east-1"),
    "windows": ([{}], {"windows": (OFFICE,)}, "is outside the scope's windows"),
    "freezes": ([{}], {"freezes": (NEW_YEAR,)}, "there is a freeze: New Year"),
    "stop conditions": ([{}], {"stop": StopConditions(queries=(BUDGET,))}, "the stop conditions cannot be checked"),
}


@pytest.fixture
def case(request, desk):
    """A drill that the rung in the parameter has to stop: its changes, its gate and why."""
    wrong, scope, reason = CASES[request.param]
    gate, log = desk.gate(), TeamLog(desk.log.path)
    if request.param == "undo log":
        gate = replace(gate, reach=replace(gate.reach, log=log))
    changes = [desk.change(desk.file(str(number)), **fields) for number, fields in enumerate(wrong)]
    if request.param == "cold caches":
        gate = replace(gate, reach=replace(gate.reach, kinds=Kinds([Emptied()])))
        changes = [replace(each, kind=Emptied.name, before={**each.before, "keys": 3}) for each in changes]
    yield changes, replace(gate, scope=gate.scope.model_copy(update=scope)), reason
    log.close()


def test_every_rung_has_its_case_in_the_order_of_the_ladder():
    assert list(CASES) == [name for name, _ in guards._ladder()]


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_what_a_rung_refuses_changes_nothing(desk, case):
    changes, gate, reason = case
    with pytest.raises(Refused, match=rf"^not {WRITING}: .*{reason}"):
        inject(changes, gate, WRITING, nothing="no file matches")
    assert [path.read_text() for path in desk.folder.iterdir()] == ["old"] * len(changes)
    assert (desk.states(), desk.watch.asked) == ([], [])


@pytest.mark.parametrize(("case", "rung"), [(name, name) for name in CASES], indirect=["case"])
def test_without_its_rung_the_same_drill_would_go_ahead(desk, case, rung, monkeypatch):
    changes, gate, _ = case
    ladder = tuple((name, guard) for name, guard in guards._ladder() if name != rung)
    monkeypatch.setattr(guards, "_ladder", lambda: ladder)
    inject(changes, gate, WRITING)
    assert [path.read_text() for path in desk.folder.glob("?")] == ["new"] * len(changes)


def test_a_guard_that_cannot_answer_says_no(desk, monkeypatch):
    def lost(request):
        raise ServiceUnreachable("look", "the world", "did not answer")

    monkeypatch.setattr(guards, "_ladder", lambda: (("world", lost),))
    path = desk.file("a")
    with pytest.raises(Refused, match=r"the world cannot be checked \(could not look: the world did not answer\)"):
        inject([desk.change(path)], desk.gate(), WRITING)
    assert path.read_text() == "old"


def test_an_account_that_cannot_be_told_is_refused(desk, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    unasked = type(desk.clients)(attempts=1)
    gate = desk.gate()
    with pytest.raises(Refused, match=r"the identity cannot be checked \(could not tell which AWS account this is"):
        inject([desk.change(desk.file("a"))], replace(gate, reach=replace(gate.reach, clients=unasked)), WRITING)


def test_a_plan_hears_every_guard_and_the_gate_the_first_objection(desk):
    scope = desk.gate().scope.model_copy(update={"windows": (OFFICE,), "freezes": (NEW_YEAR,)})
    request = Request(scope, [desk.change(desk.file("a"))], [], desk.reach())
    found = list(ask(request))
    assert [finding.guard for finding in found] == list(CASES)
    assert [finding.guard for finding in found if finding.objection] == ["windows", "freezes"]
    assert found[0] == Finding("targets", None)
    assert refusal(request) == next(finding.objection for finding in found if finding.objection)


@pytest.fixture
def objected(desk):
    """What the ladder says to changes, each told by what differs from a fine one, in a scope told the same way."""

    def made(kind="test.file", **fields):
        return replace(desk.change(desk.folder / "a", **fields), kind=kind)

    def look(*changes, held=(), region_drill=False, log=desk.log, **scope):
        there = desk.gate().scope.model_copy(update=scope)
        planned, before = ([made(**each) for each in some] for some in (changes, held))
        return refusal(Request(there, planned, before, replace(desk.reach(), log=log), region_drill=region_drill))

    return look


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [
        ({"zone": "us-east-1a"}, "does not say which share of what it is"),
        ({"namespace": "shop"}, "does not say which share of what it is"),
        ({"share": zones("us-east-1a", total=0)}, "how many zones us-east-1 has is not known"),
        ({"share": zones()}, "how many zones us-east-1 has is not known"),
        ({"zone": "us-east-1a", "share": zones("us-east-1b")}, "is in us-east-1a, which its share does not count"),
    ],
)
def test_a_share_that_is_not_known_is_refused(objected, unknown, reason):
    assert reason in objected({}, unknown, namespaces=("shop",))


@pytest.mark.parametrize(
    ("region_drill", "whole_region", "reason"),
    [
        (False, False, "all 3 zones of us-east-1 at once, which only a region drill may (lose_region)"),
        (False, True, "all 3 zones of us-east-1 at once, which only a region drill may (lose_region)"),
        (True, False, "all 3 zones of us-east-1 at once, and the scope does not say whole_region = true"),
        (True, True, None),
    ],
)
def test_all_zones_take_a_region_drill_and_a_scope_that_says_so(objected, region_drill, whole_region, reason):
    all_zones = [{"share": zones(zone)} for zone in "abc"]
    found = objected(*all_zones, region_drill=region_drill, whole_region=whole_region)
    assert found is None if reason is None else found.endswith(reason)


def test_all_zones_but_one_are_fine_unless_the_scope_has_a_share_of_zones(objected):
    two = {"share": zones("a", "b")}
    assert objected(two, largest_share=0.1) is None
    assert objected(two, shares={"zone": 0.67}) is None
    assert objected(two, shares={"zone": 0.5}) == (
        "this would take 2 of 3 zones of us-east-1 at once, and the scope's share of zones is 0.5"
    )
    assert objected({"share": zones("a", "b", "c")}, shares={"zone": 1.0}) is not None
    whole = {"region_drill": True, "whole_region": True}
    assert objected({"share": zones("a", "b", "c")}, shares={"zone": 0.5}, **whole) is None


def test_a_share_by_unit_outranks_the_largest_share(objected):
    assert objected({"share": PODS}, shares={"instance": 1.0}).endswith("and the scope's largest_share is 0.5")
    assert objected({"share": PODS}, shares={"pod": 0.67}) is None
    assert objected({"share": PODS}, largest_share=1.0, shares={"pod": 0.6}).endswith("share of pods is 0.6")


def test_a_share_is_not_lost_to_rounding(objected):
    share = Share("pod", "x", tuple(map(str, range(29))), 100)
    assert 0.29 * 100 < 29
    assert objected({"share": share}, shares={"pod": 0.29}) is None
    assert objected({"share": share}, shares={"pod": 0.289}) is not None


def test_shares_of_one_whole_add_up_and_the_smallest_whole_counts(objected):
    one, other = Share("pod", "x", ("a",), 4), Share("pod", "x", ("b",), 3)
    assert objected({"share": one}, {"share": one}) is None
    assert "2 of 3 pods of x" in objected({"share": one}, {"share": other})
    assert "2 of 3 pods of x" in objected({"share": one}, held=[{"share": other}])
    assert objected({"share": one}, {"share": replace(other, of="y")}) is None


def test_what_the_drill_holds_elsewhere_stops_nothing(objected):
    lost = [{"share": zones("a", "b", "c")}]
    assert objected({"share": zones("a", of="us-west-2")}, held=lost) is None
    assert "all 3 zones of us-east-1" in objected({"share": zones("a")}, held=lost)


def test_drills_that_share_a_region_share_its_limits(desk):
    scope = desk.gate().scope.model_copy(update={"share_regions": True})

    def lose(zone, drill):
        change = desk.change(desk.file(zone), zone=zone, share=zones(zone))
        inject([change], desk.gate(drill, scope), WRITING)

    lose("a", "drill-1")
    lose("b", "drill-2")
    with pytest.raises(Refused, match="all 3 zones of us-east-1"):
        lose("c", "drill-3")
    undo("drill-1", desk.reach())
    lose("c", "drill-3")


@pytest.mark.parametrize("kind", ["route53.health_check", "cloudfront.origin"])
def test_only_what_is_everywhere_may_be_in_no_region(objected, kind, tmp_path):
    assert objected({"region": "", "kind": kind}) is None
    assert "names no region, so the scope cannot tell" in objected({"region": "", "kind": "ec2.subnet_acl"})
    log = TeamLog(tmp_path / "team.sqlite")
    assert objected({"region": "", "kind": kind}, log=log) is None
    log.close()


def test_a_pod_in_no_region_may_take_the_undo_log_with_it(desk, tmp_path):
    log = TeamLog(tmp_path / "team.sqlite")
    pod = replace(desk.change(tmp_path, region="", cluster="shop"), kind="kubernetes.pod_deletion")
    far = replace(pod, target=replace(pod.target, region="us-west-2"))
    undo_log = dict(guards._ladder())["undo log"]
    reach = replace(desk.reach(), log=log)
    assert undo_log(Request(desk.gate().scope, [far], [], reach)) is None
    assert "whether the undo log in us-east-1 would outlive it cannot be told" in undo_log(
        Request(desk.gate().scope, [far, pod], [], reach)
    )
    log.close()


def test_the_clock_decides_each_time_anew(desk):
    gate = replace(desk.gate(), scope=desk.gate().scope.model_copy(update={"windows": (OFFICE,)}))
    path = desk.file("a")
    with pytest.raises(Refused, match="outside the scope's windows"):
        inject([desk.change(path)], gate, WRITING)
    desk.clock.advance(12 * 3600)
    inject([desk.change(path)], gate, WRITING)
    assert path.read_text() == "new"


@pytest.mark.parametrize("before", [None, {}, {"keys": 0}, {"keys": True}, {"keys": "many"}])
def test_a_cache_of_which_is_not_known_what_it_would_lose_is_not_emptied(desk, before):
    change = replace(desk.change(desk.folder / "a"), kind="redis.emptied", before=before)
    scope = desk.gate().scope.model_copy(update={"cold_caches": True})
    assert "is not known" in refusal(Request(scope, [change], [], desk.reach()))
    assert refusal(Request(scope, [replace(change, before={"keys": 7})], [], desk.reach())) is None


@pytest.mark.parametrize("how", [{"region_drill": True}, {"whole_region": True}, {"past_budgets": True}])
def test_nothing_else_in_the_scope_lets_a_cache_be_emptied(desk, how):
    change = replace(desk.change(desk.folder / "a"), kind="redis.emptied", before={"keys": 7})
    scope = desk.gate().scope.model_copy(update={"largest_share": 1.0, **how})
    beside = [desk.change(desk.folder / "b"), change]
    assert "cold_caches" in refusal(
        Request(scope, beside, [], desk.reach(), region_drill=how == {"region_drill": True})
    )
    assert "cold_caches" in refusal(Request(scope, beside, [change], desk.reach()))
