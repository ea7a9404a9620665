"""The pieces that Envoy configurations are made of, as JSON, after Envoy's v3 API reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blackstart.lab.parts import Address

Json = dict[str, Any]

# Envoy's own limits (1024 connections, 3 retries at a time) would be the first thing to break in an outage.
NO_LIMIT = 1_000_000
BACKLOG = 4096  # users who come all at once wait here; Linux takes no more unless told so
IDLE_SECONDS = 30.0  # shorter than what servers allow, so that they never close on a request under way


def typed(kind: str, **fields: Any) -> Json:
    """A message of Envoy's API that is told apart by its type; ``kind`` without the common beginning."""
    return {"@type": f"type.googleapis.com/envoy.{kind}", **fields}


def seconds(value: float) -> str:
    """A duration as Envoy reads it: digits before the point, and an s."""
    return f"{value:.3f}s"


def socket_address(address: tuple[str, int]) -> Json:
    """An IP address or host name, and a port."""
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def bootstrap(name: str, admin: Address, listener: Json, cluster: Json) -> Json:
    """The whole configuration of an Envoy with one listener and one cluster."""
    return {
        "node": {"id": name, "cluster": name},
        "admin": {"address": socket_address(admin)},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def http_listener(name: str, listen: Address, routes: Sequence[Json], also: Sequence[Address] = ()) -> Json:
    """Takes HTTP at ``listen`` and at ``also``; the first of ``routes`` that fits a request takes it."""
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        use_remote_address=True,
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": list(routes)}]},
        http_filters=[
            {"name": "fault", "typed_config": _no_fault()},
            {"name": "router", "typed_config": typed("extensions.filters.http.router.v3.Router")},
        ],
    )
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "name": name,
        "address": socket_address(listen),
        "additional_addresses": [{"address": socket_address(address)} for address in also],
        "tcp_backlog_size": BACKLOG,
        "filter_chains": [chain],
    }


def _no_fault() -> Json:
    """Faults at 0 %, so that they can be turned up while Envoy runs."""
    never = {"numerator": 0, "denominator": "HUNDRED"}
    return typed(
        "extensions.filters.http.fault.v3.HTTPFault",
        abort={"http_status": 503, "percentage": never},
        delay={"fixed_delay": seconds(0.1), "percentage": never},
    )


def route(
    path: str, cluster: str, *, exact: bool = False, timeout_seconds: float, retry_policy: Json, **more: Any
) -> Json:
    """Requests whose path begins with (or, ``exact``, is) ``path``; ``more`` belongs to the route."""
    return {
        "match": {"path" if exact else "prefix": path},
        "route": {"cluster": cluster, "timeout": seconds(timeout_seconds), "retry_policy": retry_policy},
        **more,
    }


def retries(
    when: Sequence[str], *, number: int, try_seconds: float | None = None, statuses: Sequence[int] = ()
) -> Json:
    """Try again, on another endpoint while there is one; each try may take ``try_seconds``."""
    others = typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    policy: Json = {
        "retry_on": ",".join(when),
        "num_retries": number,
        "retry_back_off": {"base_interval": seconds(0.025), "max_interval": seconds(0.1)},
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": others}],
        "host_selection_retry_max_attempts": 5,
    }
    if try_seconds is not None:
        policy["per_try_timeout"] = seconds(try_seconds)
    if statuses:
        policy["retriable_status_codes"] = list(statuses)
    return policy


def cluster(name: str, *, connect_seconds: float, **more: Any) -> Json:
    """Where requests go; ``more`` says how its endpoints are found and watched."""
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    idle = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": seconds(IDLE_SECONDS)},
        explicit_http_config={"http_protocol_options": {}},
    )
    return {
        "name": name,
        "connect_timeout": seconds(connect_seconds),
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, NO_LIMIT)]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": idle},
        **more,
    }


def resolver_config(server: Address) -> Json:
    """Look names up at ``server`` and nowhere else."""
    cares = typed(
        "extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        resolvers=[socket_address(server)],
        dns_resolver_options={"no_default_search_domain": True},
        query_timeout_seconds=1,
        query_tries=2,
    )
    return {"name": "envoy.network.dns_resolver.cares", "typed_config": cares}
