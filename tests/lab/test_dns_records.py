"""Route 53's choice among records, on planted data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blackstart.lab.dns_places import NOWHERE, Place, place_of
from blackstart.lab.dns_records import Record, Zone, choose, from_api

HOME = Record("orders.shop.test.", "A", 2, ("127.0.0.11",), failover="PRIMARY", health_check="home")
STANDBY = Record("orders.shop.test.", "A", 2, ("127.0.0.12",), failover="SECONDARY")


def only(*ids: str) -> Callable[[str], bool]:
    """These health checks are healthy, and no others."""
    return lambda id_: id_ in ids


def values(found: list[Record]) -> list[str]:
    return [value for record in found for value in record.values]


@pytest.mark.parametrize(("healthy", "answer"), [(only("home"), "127.0.0.11"), (only(), "127.0.0.12")])
def test_failover_goes_to_the_secondary_while_the_primary_is_unhealthy(
    healthy: Callable[[str], bool], answer: str
) -> None:
    zone = Zone("shop.test", [STANDBY, HOME])
    assert values(zone.find("orders.shop.test", "A", healthy, lambda: 0.0)) == [answer]


def test_when_both_are_unhealthy_the_primary_answers() -> None:
    standby = Record("o.", "A", 2, ("127.0.0.12",), failover="SECONDARY", health_check="standby")
    assert choose([standby, HOME], lambda record: False, lambda: 0.0) == HOME


def weighted(weight: int, check: str = "") -> Record:
    return Record("o.", "A", 2, (f"10.0.0.{weight}",), weight=weight, health_check=check)


@pytest.mark.parametrize(("draw", "weight"), [(0.0, 10), (0.09, 10), (0.1, 90), (0.999, 90)])
def test_weights_share_the_answers(draw: float, weight: int) -> None:
    assert choose([weighted(10), weighted(90), weighted(0)], lambda record: True, lambda: draw) == weighted(weight)


def test_weight_zero_serves_only_when_the_others_are_unhealthy() -> None:
    records = [weighted(0), weighted(90, "bad")]
    assert choose(records, lambda record: not record.health_check, lambda: 0.5) == weighted(0)


def test_when_all_weights_are_zero_all_take_part() -> None:
    twins = [weighted(0), Record("o.", "A", 2, ("10.0.0.200",), weight=0)]
    assert {choose(twins, lambda record: True, iter([draw]).__next__) for draw in (0.1, 0.9)} == set(twins)


def test_when_nothing_weighted_is_healthy_everything_counts_as_healthy() -> None:
    assert choose([weighted(0), weighted(5)], lambda record: False, lambda: 0.5) == weighted(5)


def test_an_alias_answers_with_its_targets_values_under_its_own_name() -> None:
    alias = Record("www.shop.test.", "A", alias="orders.shop.test.")
    zone = Zone("shop.test", [alias, HOME, STANDBY])
    (found,) = zone.find("WWW.shop.test", "A", only(), lambda: 0.0)
    assert (found.name, found.values, found.ttl) == ("www.shop.test.", ("127.0.0.12",), 2)


def test_an_alias_that_watches_its_target_fails_over_with_it() -> None:
    to_home = Record("www.shop.test.", "A", alias="home.shop.test.", alias_health=True, failover="PRIMARY")
    home = Record("home.shop.test.", "A", 2, ("127.0.0.11",), health_check="home")
    aside = Record("www.shop.test.", "A", 2, ("127.0.0.12",), failover="SECONDARY")
    zone = Zone("shop.test", [to_home, home, aside])
    assert values(zone.find("www.shop.test", "A", only("home"), lambda: 0.0)) == ["127.0.0.11"]
    assert values(zone.find("www.shop.test", "A", only(), lambda: 0.0)) == ["127.0.0.12"]


def test_a_circle_of_aliases_or_cnames_ends() -> None:
    circle = [
        Record("a.shop.test.", "A", alias="b.shop.test.", alias_health=True),
        Record("b.shop.test.", "A", alias="a.shop.test.", alias_health=True),
        Record("c.shop.test.", "CNAME", 2, ("d.shop.test.",)),
        Record("d.shop.test.", "CNAME", 2, ("c.shop.test.",)),
    ]
    zone = Zone("shop.test", circle)
    assert zone.find("a.shop.test", "A", only(), lambda: 0.0) == []
    assert zone.find("c.shop.test", "A", only(), lambda: 0.0)


def test_a_cname_is_followed_inside_the_zone() -> None:
    zone = Zone("shop.test", [Record("shop.shop.test.", "CNAME", 5, ("orders.shop.test",)), HOME, STANDBY])
    found = zone.find("shop.shop.test", "A", only("home"), lambda: 0.0)
    assert [record.type for record in found] == ["CNAME", "A"]
    assert [record.type for record in zone.find("shop.shop.test", "CNAME", only(), lambda: 0.0)] == ["CNAME"]


def test_a_zone_knows_its_names_and_the_ones_between() -> None:
    zone = Zone("shop.test", [Record("a.b.shop.test.", "A", 2, ("10.0.0.1",))])
    assert zone.has("b.shop.test.")
    assert zone.has("shop.test.")
    assert not zone.has("c.shop.test.")
    assert zone.covers("C.Shop.Test")
    assert not zone.covers("workshop.test")


def test_the_apis_words_become_a_record() -> None:
    found: dict[str, Any] = {
        "Name": "Orders.shop.test.",
        "Type": "A",
        "SetIdentifier": "home",
        "Failover": "PRIMARY",
        "TTL": 2,
        "ResourceRecords": [{"Value": "127.0.0.11"}],
        "HealthCheckId": "home",
    }
    assert from_api(found) == HOME


def at(place: Place, check: str = "") -> Record:
    return Record("o.", "A", 2, (str(place),), place=place, health_check=check)


GERMANY, EUROPE, CALIFORNIA = Place(country="DE"), Place("EU"), Place(country="US", subdivision="CA")
EVERYWHERE = [at(NOWHERE), at(EUROPE), at(Place(country="US")), at(CALIFORNIA), at(GERMANY, "bad")]


@pytest.mark.parametrize(
    ("asked_from", "healthy", "answered"),
    [
        (Place("EU", "DE"), True, GERMANY),
        (Place("EU", "DE"), False, EUROPE),
        (Place("EU", "FR"), True, EUROPE),
        (Place("NA", "US", "CA"), True, CALIFORNIA),
        (Place("NA", "US", "NY"), True, Place(country="US")),
        (Place("AS", "JP"), True, NOWHERE),
        (NOWHERE, True, NOWHERE),
    ],
)
def test_the_most_specific_place_answers_that_is_healthy(asked_from: Place, healthy: bool, answered: Place) -> None:
    chosen = choose(EVERYWHERE, lambda record: healthy or not record.health_check, lambda: 0.0, asked_from)
    assert chosen == next(record for record in EVERYWHERE if record.place == answered)


def test_without_a_default_nobody_answers_elsewhere_and_when_all_are_unhealthy_the_nearest_does() -> None:
    assert choose([at(EUROPE)], lambda record: True, lambda: 0.0, Place("AS", "JP")) is None
    assert choose([at(EUROPE), at(GERMANY)], lambda record: False, lambda: 0.0, Place("EU", "DE")) == at(GERMANY)
    assert (
        Zone("shop.test", [Record("o.shop.test.", "A", 2, ("1.1.1.1",), place=EUROPE)]).find(
            "o.shop.test", "A", only(), lambda: 0.0
        )
        == []
    )


@pytest.mark.parametrize(
    ("found", "place"),
    [
        ({"ContinentCode": "EU"}, EUROPE),
        ({"CountryCode": "*"}, NOWHERE),
        ({"CountryCode": "US", "SubdivisionCode": "CA"}, CALIFORNIA),
    ],
)
def test_the_apis_places_become_those_of_a_record(found: dict[str, str], place: Place) -> None:
    assert from_api({"Name": "o.", "Type": "A", "GeoLocation": found}).place == place


def test_networks_for_documentation_stand_for_countries() -> None:
    assert place_of("198.51.100.7") == Place("EU", "DE")
    assert place_of("127.0.0.1") == place_of("") == NOWHERE
