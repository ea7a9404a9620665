"""The plan of the lab: which link is cut by which zones."""

from __future__ import annotations

import itertools

from blackstart.lab.config import LabConfig
from blackstart.lab.topology import LOOPBACK, Link, Topology, control_plane, plan, way


def topology(config: LabConfig | None = None) -> Topology:
    numbers = itertools.count(20001)
    return plan(config or LabConfig(), (LOOPBACK, 20000), lambda host: next(numbers))


def cut(link: Link, zones: set[str]) -> bool:
    return any(set(group) <= zones for group in link.crosses)


def links(laid: Topology, zones: set[str]) -> set[str]:
    return {link.name for link in laid.links if cut(link, zones)}


def test_no_two_parts_share_an_address() -> None:
    laid = topology()
    addresses = [link.listen for link in laid.links] + [store.address for store in laid.stores()]
    addresses += [laid.moto, laid.ministack, laid.aws, laid.aws_admin, laid.dns, laid.dns_admin, laid.links_admin]
    addresses += [laid.edge, laid.edge_admin, laid.automation]
    for parts in laid.regions():
        addresses += [parts.gateway_listener, parts.gateway_admin, parts.kube_listener]
    assert len(set(addresses)) == len(addresses)


def test_the_gateway_of_a_region_goes_only_with_all_its_zones() -> None:
    laid = topology()
    zones = set(laid.home.zones)
    assert "gateway-us-east-1" not in links(laid, zones - {"us-east-1c"})
    assert "gateway-us-east-1" in links(laid, zones)
    assert "gateway-us-west-2" not in links(laid, zones)


def test_a_lost_zone_loses_its_ways_out_and_nobody_elses() -> None:
    lost = links(topology(), {"us-east-1b"})
    assert {"us-east-1b-to-aws", "us-east-1b-to-postgres-us-east-1", "us-east-1b-to-redis-us-east-1"} <= lost
    assert not any(name.startswith(("us-east-1c", "us-west", "gateway", "kube")) for name in lost)


def test_the_zone_of_the_database_takes_every_way_to_it_along() -> None:
    laid = topology()
    assert laid.home.databases[0].zone == "us-east-1a"
    lost = links(laid, {"us-east-1a"})
    assert {"us-east-1b-to-postgres-us-east-1", "us-east-1c-to-postgres-us-east-1"} <= lost
    assert {"postgres-us-west-2-1-follows-postgres-us-east-1-1", "redis-us-east-1-2-follows-redis-us-east-1-1"} <= lost


def test_a_pod_beside_its_database_reaches_it_directly() -> None:
    standby = topology().standby
    assert standby.database["us-west-2a"] == standby.databases[0].address == standby.database_endpoint
    assert standby.database["us-west-2b"] != standby.databases[0].address


def test_where_several_can_lead_everybody_reaches_the_leading_one_over_a_link_that_can_be_turned() -> None:
    laid = topology()
    names = {link.listen: link.name for link in laid.links}
    ways = {zone: names[address] for zone, address in laid.home.database.items()}
    assert ways == {zone: way(zone, "postgres-us-east-1") for zone in laid.home.zones}
    assert names[laid.home.database_endpoint] == "postgres-us-east-1"
    assert names[laid.home.cache_endpoint] == "redis-us-east-1"


def test_only_what_crosses_the_ocean_is_delayed() -> None:
    laid = topology(LabConfig(wan_delay_seconds=0.5))
    delayed = {link.name for link in laid.links if link.delay_seconds}
    assert {link.delay_seconds for link in laid.links} == {0.0, 0.5}
    across = {
        f"{one}-follows-{other}"
        for kind, count in (("postgres", 2), ("redis", 3))
        for number in range(1, count + 1)
        for one, other in itertools.permutations((f"{kind}-us-east-1-{number}", f"{kind}-us-west-2-1"))
    }
    assert delayed == across | {"probe-home"}


def test_a_control_plane_is_cut_by_itself_and_not_with_the_zones() -> None:
    laid = topology()
    assert links(laid, {control_plane("us-east-1")}) == {"kube-us-east-1"}
    assert "kube-us-east-1" not in links(laid, set(laid.home.zones))


def test_replicas_are_spread_over_the_zones_and_called_as_in_the_aws_api() -> None:
    home = topology().home
    assert [store.zone for store in home.caches] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert [store.id for store in home.caches] == [f"shop-us-east-1-00{number}" for number in (1, 2, 3)]
    assert {store.id: store.zone for store in home.databases} == {
        "shop-us-east-1-1": "us-east-1a",
        "shop-us-east-1-2": "us-east-1b",
    }
