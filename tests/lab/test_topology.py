"""The plan of the lab: which link is cut by which zones."""

from __future__ import annotations

import itertools

from blackstart.lab.config import LabConfig
from blackstart.lab.topology import LOOPBACK, Link, Topology, control_plane, plan


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
    assert {"us-east-1b-to-aws", "us-east-1b-to-postgres-us-east-1", "us-east-1b-to-redis-us-east-1-0"} <= lost
    assert not any(name.startswith(("us-east-1c", "us-west", "gateway", "kube")) for name in lost)


def test_the_zone_of_the_database_takes_every_way_to_it_along() -> None:
    laid = topology()
    assert laid.home.postgres.zone == "us-east-1a"
    lost = links(laid, {"us-east-1a"})
    assert {"us-east-1b-to-postgres-us-east-1", "us-east-1c-to-postgres-us-east-1"} <= lost
    assert {"postgres-us-west-2-follows-postgres-us-east-1", "redis-us-east-1-1-follows-redis-us-east-1-0"} <= lost


def test_a_pod_beside_its_database_reaches_it_directly() -> None:
    home = topology().home
    assert home.database["us-east-1a"] == home.postgres.address
    assert home.database["us-east-1b"] != home.postgres.address


def test_only_what_crosses_the_ocean_is_delayed() -> None:
    laid = topology(LabConfig(wan_delay_seconds=0.5))
    delayed = {link.name for link in laid.links if link.delay_seconds}
    assert {link.delay_seconds for link in laid.links} == {0.0, 0.5}
    assert delayed == {
        "postgres-us-west-2-follows-postgres-us-east-1",
        "postgres-us-east-1-follows-postgres-us-west-2",
        "redis-us-west-2-0-follows-redis-us-east-1-0",
        "redis-us-east-1-0-follows-redis-us-west-2-0",
        "probe-home",
    }


def test_a_control_plane_is_cut_by_itself_and_not_with_the_zones() -> None:
    laid = topology()
    assert links(laid, {control_plane("us-east-1")}) == {"kube-us-east-1"}
    assert "kube-us-east-1" not in links(laid, set(laid.home.zones))


def test_cache_replicas_are_spread_over_the_zones() -> None:
    assert [store.zone for store in topology().home.caches] == ["us-east-1a", "us-east-1b", "us-east-1c"]
