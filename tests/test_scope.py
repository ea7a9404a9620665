import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from blackstart.scope import Freeze, Query, Scope, Target, Window, frozen, objection, out_of_hours

SCOPE = Scope(
    environment="lab",
    accounts=("123456789012",),
    regions=("us-east-1",),
    clusters=("shop-us-east-1",),
    namespaces=("shop",),
    required_tag="blackstart",
)
TAGS = {"blackstart": "allowed"}


def subnet(**changes: object) -> Target:
    fields = {"kind": "subnet", "id": "subnet-1", "account": "123456789012", "region": "us-east-1", "tags": TAGS}
    return Target(**(fields | changes))  # type: ignore[arg-type]


def test_a_target_inside_the_scope_is_permitted():
    assert objection(SCOPE, subnet()) is None
    assert objection(SCOPE, subnet(account="", cluster="shop-us-east-1", namespace="shop")) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("account", "999999999999"), ("region", "eu-west-1"), ("cluster", "bank"), ("namespace", "kube-system")],
)
def test_a_target_outside_the_scope_is_refused_by_the_name_of_what_is_outside(field, value):
    reason = objection(SCOPE, subnet(**{field: value}))
    assert reason is not None
    assert f"{field} {value}" in reason


def test_a_target_that_has_not_opted_in_is_refused():
    assert "has not opted in" in str(objection(SCOPE, subnet(tags={})))


def test_a_target_that_says_nothing_of_where_it_is_is_refused():
    assert "cannot tell" in str(objection(SCOPE, subnet(region="", account="")))


def test_a_region_alone_does_not_say_whose_it_is():
    assert "names no account and no cluster" in str(objection(SCOPE, subnet(account="")))


@pytest.mark.parametrize("tag", ["tier", "tier=gold", "a=b", "a=b=c"])
def test_a_target_that_carries_a_forbidden_tag_is_refused(tag):
    scope = SCOPE.model_copy(update={"forbidden_tags": ("never-seen", tag)})
    gold = subnet(tags=TAGS | {"tier": "gold", "a": "b", "a=b": "c"})
    assert str(objection(scope, gold)) == f"subnet subnet-1 carries {tag}, which the scope forbids"


def test_another_value_of_a_forbidden_tag_is_not_forbidden():
    scope = SCOPE.model_copy(update={"forbidden_tags": ("tier=gold",)})
    assert objection(scope, subnet(tags=TAGS | {"tier": "golden"})) is None


def test_the_opt_in_may_ask_for_a_value():
    scope = SCOPE.model_copy(update={"required_tag": "blackstart=allowed"})
    assert objection(scope, subnet()) is None
    assert "has not opted in" in str(objection(scope, subnet(tags={"blackstart": "never"})))


def test_an_empty_scope_permits_nothing():
    assert objection(Scope(environment="production"), subnet()) is not None


def test_unknown_keys_in_a_scope_are_refused():
    with pytest.raises(ValidationError, match="regoins"):
        Scope.model_validate({"environment": "lab", "regoins": ["us-east-1"]})


OFFICE = Window(start="10:00", end="16:00", timezone="Europe/Berlin")
NIGHT = Window(days=("fri",), start="22:00", end="04:00", timezone="Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-23 08:59", False),  # Monday; Berlin is an hour ahead of UTC
        ("2026-11-23 09:00", True),
        ("2026-11-23 14:59", True),
        ("2026-11-23 15:00", False),
        ("2026-11-22 12:00", False),  # Sunday
        ("2026-07-06 08:00", True),  # Monday; two hours ahead
        ("2026-07-06 14:00", False),
    ],
)
def test_a_window_is_open_by_the_clock_on_the_wall_there(now, inside):
    assert OFFICE.holds(utc(now)) is inside


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-11-20 20:59", False),  # Friday
        ("2026-11-20 21:00", True),
        ("2026-11-20 23:30", True),  # Saturday in Berlin
        ("2026-11-21 02:59", True),
        ("2026-11-21 03:00", False),
        ("2026-11-21 21:00", False),
        ("2026-11-20 01:00", False),  # the small hours of Friday belong to Thursday's night
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_opens(now, inside):
    assert NIGHT.holds(utc(now)) is inside


def test_a_sunday_night_reaches_into_monday():
    sunday = Window(days=("sun",), start="22:00", end="02:00", timezone="UTC")
    assert sunday.holds(utc("2026-11-23 01:59"))
    assert not sunday.holds(utc("2026-11-22 01:59"))


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-10-25 00:30", True),  # 02:30 in Berlin, summer time
        ("2026-10-25 01:30", True),  # 02:30 again, winter time
        ("2026-10-25 02:00", False),
        ("2026-03-29 00:59", False),  # 01:59, and then it is 03:00
        ("2026-03-29 01:00", False),
    ],
)
def test_a_window_knows_the_hour_that_comes_twice_and_the_one_that_never_comes(now, inside):
    assert Window(days=("sun",), start="02:00", end="03:00", timezone="Europe/Berlin").holds(utc(now)) is inside


def test_outside_all_windows_is_said_with_the_windows():
    scope = SCOPE.model_copy(update={"windows": (OFFICE, NIGHT)})
    assert out_of_hours(scope, utc("2026-11-23 12:00")) is None
    assert out_of_hours(SCOPE, utc("2026-11-22 12:00")) is None
    assert out_of_hours(scope, utc("2026-11-22 12:00")) == (
        "now (Sun 2026-11-22 12:00 UTC) is outside the scope's windows "
        "(mon tue wed thu fri 10:00–16:00 Europe/Berlin; fri 22:00–04:00 Europe/Berlin)"
    )


def test_a_freeze_is_said_with_its_reason_and_its_end():
    freeze = Freeze(reason="Christmas", begins="2026-12-24", ends="2026-12-27", timezone="Europe/Berlin")
    scope = SCOPE.model_copy(update={"freezes": (freeze,)})
    assert frozen(scope, utc("2026-12-23 22:59")) is None
    assert frozen(scope, utc("2026-12-23 23:00")) == (
        "there is a freeze: Christmas (until 2026-12-27 00:00 Europe/Berlin)"
    )
    assert frozen(scope, utc("2026-12-26 22:59")) is not None
    assert frozen(scope, utc("2026-12-26 23:00")) is None


def test_an_offset_says_more_than_a_time_zone():
    freeze = Freeze(
        reason="launch", begins="2026-12-01T10:00+09:00", ends="2026-12-01T02:00Z", timezone="Europe/Berlin"
    )
    assert freeze.holds(utc("2026-12-01 01:00"))
    assert not freeze.holds(utc("2026-12-01 00:59"))
    assert not freeze.holds(utc("2026-12-01 02:00"))


@pytest.mark.parametrize(
    ("begins", "ends", "now"),
    [
        ("2026-10-25T02:30", "2026-10-26", "2026-10-25 00:30"),  # the first 02:30
        ("2026-10-24", "2026-10-25T02:30", "2026-10-25 01:29"),  # until the second
        ("2026-03-29T02:30", "2026-03-30", "2026-03-29 00:30"),  # a time that never comes
    ],
)
def test_what_daylight_saving_makes_ambiguous_is_frozen(begins, ends, now):
    assert Freeze(reason="x", begins=begins, ends=ends, timezone="Europe/Berlin").holds(utc(now))


TOML = """
environment = "staging"
[[windows]]
days = ["mon", "fri"]
start = 10:00:00
end = "16:00"
timezone = "Europe/Berlin"
[[freezes]]
reason = "launch"
begins = 2026-12-01T00:00:00
ends = 2026-12-02
[[freezes]]
reason = "sale"
begins = 2026-11-27T00:00:00-05:00
ends = "2026-11-30T00:00:00-05:00"
"""


def test_the_times_of_toml_and_texts_are_both_read():
    scope = Scope.model_validate(tomllib.loads(TOML))
    assert scope.windows[0].holds(utc("2026-11-23 09:00"))
    assert scope.freezes[0].holds(utc("2026-12-01 23:59"))
    assert not scope.freezes[0].holds(utc("2026-12-02 00:00"))
    assert scope.freezes[1].holds(utc("2026-11-27 05:00"))
    assert not scope.freezes[1].holds(utc("2026-11-27 04:59"))


WINDOW = {"start": "10:00", "end": "16:00", "timezone": "UTC"}
FREEZE = {"reason": "x", "begins": "2026-12-24", "ends": "2026-12-27"}
QUERY = {"name": "errors", "url": "http://127.0.0.1:9090", "query": "errors", "above": 1}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"windows": [WINDOW | {"end": "10:00"}]}, "start and end are both 10:00, so it is never open"),
        ({"windows": [WINDOW | {"start": 10}]}, "10 is no time of day"),
        ({"windows": [WINDOW | {"start": "ten"}]}, "Invalid isoformat string"),
        ({"windows": [WINDOW | {"start": "10:00Z"}]}, "the time zone in timezone"),
        ({"windows": [WINDOW | {"days": []}]}, "at least 1 item"),
        ({"windows": [WINDOW | {"days": ["monday"]}]}, "Input should be 'mon'"),
        *(
            ({"windows": [WINDOW | {"timezone": zone}]}, "is no time zone that this machine knows")
            for zone in ("Mars/Olympus", "Europe", "", "../etc", "/etc/passwd", 1, "a\0b")
        ),
        ({"freezes": [FREEZE | {"ends": "2026-12-24"}]}, "before it begins"),
        ({"freezes": [FREEZE | {"begins": 20261224}]}, "20261224 is no moment"),
        ({"freezes": [FREEZE | {"begins": "24.12.2026"}]}, "Invalid isoformat string"),
        ({"freezes": [FREEZE | {"timezone": "Mars/Olympus"}]}, "no time zone"),
        ({"shares": {"pod": 0}}, "greater than 0"),
        ({"shares": {"pod": 1.1}}, "less than or equal to 1"),
        ({"shares": {"pod": True}}, "valid number"),
        ({"largest_share": float("nan")}, "finite number"),
        ({"largest_share": True}, "valid number"),
        ({"forbidden_tags": [""]}, "at least 1 character"),
        ({"stop": {"queries": [QUERY | {"above": None}]}}, "it needs above or below"),
        ({"stop": {"queries": [QUERY | {"above": float("inf")}]}}, "finite number"),
        ({"stop": {"queries": [QUERY | {"url": "file:///etc/passwd"}]}}, "should match pattern"),
        ({"stop": {"alarms": [{"name": "", "region": "us-east-1"}]}}, "at least 1 character"),
        ({"stop": {"availability": 99.9}}, "less than or equal to 1"),
        ({"stop": {"availability": True}}, "valid number"),
        ({"stop": {"every_seconds": 0}}, "greater than 0"),
    ],
)
def test_a_scope_that_cannot_be_meant_is_refused(wrong, problem):
    with pytest.raises(ValidationError, match=problem):
        Scope.model_validate({"environment": "lab"} | wrong)


def test_a_query_may_stop_on_either_side():
    assert Query(**QUERY | {"above": None, "below": 0.2}).below == 0.2


def test_the_documentation_shows_every_key_and_nothing_else():
    text = (Path(__file__).parent.parent / "docs" / "scope.md").read_text()
    shown = tomllib.loads(re.search("```toml\n(.*?)```", text, re.DOTALL)[1])["scope"]
    scope = Scope.model_validate(shown)
    parts = (scope, scope.windows[0], scope.freezes[0], scope.stop, scope.stop.alarms[0])
    for part in parts:
        assert type(part).model_fields.keys() == part.model_fields_set
