"""Configuration of the Envoys: the edge (stands for CloudFront) and a gateway a region (load balancer and Istio).

Everything is written before Envoy starts, but for the endpoints of a gateway: it watches their file, so
``write_endpoints`` takes effect at once. ``GET /ready`` on the admin address answers 200 when it serves.

Faults can be set while it runs, on connections that are open too: ``POST /runtime_modify?NAME=VALUE`` on the admin
address with ``fault.http.abort.abort_percent``, ``fault.http.abort.http_status``,
``fault.http.delay.fixed_delay_percent`` and ``fault.http.delay.fixed_duration_ms``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from blackstart.lab.envoy_parts import (
    bootstrap,
    cluster,
    http_listener,
    resolver_config,
    retries,
    route,
    seconds,
    socket_address,
    typed,
)
from blackstart.lab.parts import Address

PODS, ORIGIN = "pods", "origin"
READY_PATH, HEALTH_PATH = "/readyz", "/healthz"
EDGE_HEADER = "x-edge"

CHECK_SECONDS = 0.5
CHECK_TIMEOUT_SECONDS = 0.4
CONNECT_SECONDS = 0.1  # the kernel completes handshakes by itself, so only a way that is cut takes longer
TRY_SECONDS = 0.8
GATEWAY_SECONDS = 3.0
EDGE_SECONDS = 4.0

BOOTSTRAP, ENDPOINTS = "bootstrap.json", "endpoints.json"


def gateway(
    folder: Path,
    *,
    name: str,
    listen: Address,
    admin: Address,
    also: Sequence[Address] = (),
    check_seconds: float = CHECK_SECONDS,
) -> Path:
    """Write the configuration of a region's gateway into ``folder``; the path to start Envoy with.

    It listens at ``also``, too: the ports of one client address are soon used up by many connections to one listener.
    It asks each pod every ``check_seconds`` whether it is ready.

    It has no endpoints until ``write_endpoints``. Orders are idempotent by their key, so whatever failed without an
    answer, or with 503, is tried again on another pod. ``/healthz`` asks one pod and tells what it said.
    """
    write_endpoints(folder, {})
    every = route(
        "/",
        PODS,
        timeout_seconds=GATEWAY_SECONDS,
        retry_policy=retries(
            ("connect-failure", "refused-stream", "reset", "retriable-status-codes"),
            number=3,
            try_seconds=TRY_SECONDS,
            statuses=(503,),
        ),
    )
    health = route(
        HEALTH_PATH,
        PODS,
        exact=True,
        timeout_seconds=1.0,
        retry_policy=retries(("connect-failure", "refused-stream", "reset"), number=1, try_seconds=0.5),
    )
    return _write(
        folder / BOOTSTRAP,
        bootstrap(name, admin, http_listener(name, listen, (health, every), also), _pods(folder, check_seconds)),
    )


def edge(
    folder: Path, *, name: str, listen: Address, admin: Address, origin: tuple[str, int], resolver: Address
) -> Path:
    """Write the configuration of the edge into ``folder``; the path to start Envoy with.

    ``origin`` is a host name and port, looked up at the DNS server ``resolver`` as often as the records' TTL says (but
    at most once a second). Answers carry the header ``x-edge`` with ``name``.
    """
    every = route(
        "/",
        ORIGIN,
        timeout_seconds=EDGE_SECONDS,
        retry_policy=retries(("connect-failure", "refused-stream"), number=2),
        response_headers_to_add=[{"header": {"key": EDGE_HEADER, "value": name}}],
    )
    return _write(
        folder / BOOTSTRAP,
        bootstrap(name, admin, http_listener(name, listen, (every,)), _origin(origin, resolver)),
    )


def write_endpoints(
    folder: Path, zones: Mapping[str, Sequence[Address]], draining: Collection[str] = frozenset()
) -> None:
    """Make exactly these the endpoints of the gateway in ``folder``: addresses by zone.

    Zones in ``draining`` get no new requests. The file is replaced in one step; Envoy sees it within milliseconds.
    """
    localities = [
        {
            "locality": {"zone": zone},
            "lb_endpoints": [
                {
                    "endpoint": {"address": socket_address(address)},
                    "health_status": "DRAINING" if zone in draining else "UNKNOWN",
                }
                for address in zones[zone]
            ],
        }
        for zone in sorted(zones)
    ]
    assignment = typed("config.endpoint.v3.ClusterLoadAssignment", cluster_name=PODS, endpoints=localities)
    _write(folder / ENDPOINTS, {"resources": [assignment]})


def command(program: Path, config: Path, *, threads: int = 1) -> list[str]:
    """How to start Envoy with a configuration that ``gateway`` or ``edge`` wrote."""
    quiet = ("--log-level", "warning")
    return [
        str(program),
        *("--config-path", str(config)),
        "--disable-hot-restart",
        *("--concurrency", str(threads)),
        *quiet,
    ]


def _pods(folder: Path, check_seconds: float) -> dict[str, Any]:
    check = {
        "timeout": seconds(CHECK_TIMEOUT_SECONDS),
        "interval": seconds(check_seconds),
        "no_traffic_interval": seconds(check_seconds),
        "no_traffic_healthy_interval": seconds(check_seconds),
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": READY_PATH},
    }
    source = {"path": str(folder / ENDPOINTS), "watched_directory": {"path": str(folder)}}
    return cluster(
        PODS,
        connect_seconds=CONNECT_SECONDS,
        type="EDS",
        eds_cluster_config={"eds_config": {"path_config_source": source, "resource_api_version": "V3"}},
        lb_policy="LEAST_REQUEST",
        # never to a pod that is known to be unready, not even when most are
        common_lb_config={"healthy_panic_threshold": {"value": 0}},
        health_checks=[check],
        close_connections_on_host_health_failure=True,
        ignore_health_on_host_removal=True,
    )


def _origin(origin: tuple[str, int], resolver: Address) -> dict[str, Any]:
    names = typed(
        "extensions.clusters.dns.v3.DnsCluster",
        dns_refresh_rate=seconds(1.0),
        dns_failure_refresh_rate={"base_interval": seconds(0.5), "max_interval": seconds(1.0)},
        dns_min_refresh_rate=seconds(1.0),
        respect_dns_ttl=True,
        dns_lookup_family="V4_ONLY",
        typed_dns_resolver_config=resolver_config(resolver),
    )
    endpoint = {"endpoint": {"address": socket_address(origin)}}
    return cluster(
        ORIGIN,
        connect_seconds=1.0,
        cluster_type={"name": "envoy.cluster.dns", "typed_config": names},
        load_assignment={"cluster_name": ORIGIN, "endpoints": [{"lb_endpoints": [endpoint]}]},
    )


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    """Replace ``path`` in one step, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(partial, path)
    return path
