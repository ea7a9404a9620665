"""The platform's monitoring: a Prometheus that scrapes the gateways, and an Alertmanager, where they are installed.

They are this machine's own programs, not the lab's: a lab without them lacks nothing but what monitoring would say.
Started last, and not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blackstart.lab.base import Base
from blackstart.lab.binaries import on_path
from blackstart.lab.catalog import Catalog, Entry
from blackstart.lab.parts import Address
from blackstart.lab.topology import LOOPBACK, url

ALERT = "OrdersFailing"
SCRAPE_SECONDS = 1
WINDOW_SECONDS = 4
FAILING_SHARE = 0.05
PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")
STATISTICS = "http\\.gateway.*downstream_rq_(2xx|3xx|4xx|5xx|time)"
"""What is scraped of an Envoy: it has thousands more."""

_OF = 'envoy_http_conn_manager_prefix=~"gateway-.*"'
_ALL = f"sum(rate(envoy_http_downstream_rq_xx{{{_OF}}}[{WINDOW_SECONDS}s]))"
_FAILED = f'sum(rate(envoy_http_downstream_rq_xx{{{_OF},envoy_response_code_class="5"}}[{WINDOW_SECONDS}s]))'
_TIMES = f"sum by (le) (rate(envoy_http_downstream_rq_time_bucket{{{_OF}}}[{WINDOW_SECONDS}s]))"
FAILED = f"({_FAILED} or vector(0)) / {_ALL}"
AVAILABILITY = f"1 - {FAILED}"
LATENCY = f"histogram_quantile(0.99, {_TIMES}) / 1000"


@dataclass(frozen=True)
class Programs:
    """Where the programs are that this machine has."""

    prometheus: Path
    alertmanager: Path


def programs() -> Programs | None:
    """None unless both are installed."""
    prometheus, alertmanager = (next(filter(None, map(on_path, names)), None) for names in (PROMETHEUS, ALERTMANAGER))
    return Programs(prometheus, alertmanager) if prometheus and alertmanager else None


@dataclass(frozen=True)
class Telemetry:
    """Monitoring that runs: where to ask it."""

    prometheus: Address
    alertmanager: Address

    def settings(self) -> Mapping[str, Any]:
        """The table ``[monitoring]`` of a ``blackstart.toml``."""
        return {
            "prometheus": url(self.prometheus),
            "alertmanager": url(self.alertmanager),
            "availability": AVAILABILITY,
            "latency": LATENCY,
            "step_seconds": SCRAPE_SECONDS,
            "alerts": [ALERT],
            "poll_seconds": 0.5,
        }


def start(found: Programs, base: Base, catalog: Catalog, gateways: Sequence[Address]) -> Telemetry:
    """Start both; ``gateways`` are the admin addresses of the Envoys. Returns at once."""
    folder = base.folder / "monitoring"
    folder.mkdir()
    told = Telemetry((LOOPBACK, base.ports.take()), (LOOPBACK, base.ports.take()))
    _write(folder / "rules.yml", rules())
    _write(folder / "prometheus.yml", scraping(folder / "rules.yml", gateways, told.alertmanager))
    _write(folder / "alertmanager.yml", {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]})
    catalog.add("prometheus", Entry("prometheus", told.prometheus))
    catalog.add("alertmanager", Entry("alertmanager", told.alertmanager))
    base.processes(
        "alertmanager",
        [
            str(found.alertmanager),
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address={_at(told.alertmanager)}",
            "--cluster.listen-address=",
        ],
        cwd=folder,
    )
    base.processes(
        "prometheus",
        [
            str(found.prometheus),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address={_at(told.prometheus)}",
            "--log.level=warn",
        ],
        cwd=folder,
    )
    return told


def scraping(rules: Path, gateways: Sequence[Address], alertmanager: Address) -> dict[str, Any]:
    """Prometheus' configuration. Pure."""
    every = f"{SCRAPE_SECONDS}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [_at(alertmanager)]}]}]},
        "scrape_configs": [
            {
                "job_name": "gateways",
                "metrics_path": "/stats/prometheus",
                "params": {"filter": [STATISTICS]},
                "static_configs": [{"targets": [_at(address) for address in gateways]}],
            }
        ],
    }


def rules() -> dict[str, Any]:
    """One alert: too many of users' requests fail at the gateways. Pure."""
    rule = {
        "alert": ALERT,
        "expr": f"{FAILED} > {FAILING_SHARE:g}",
        "annotations": {"summary": "more than 5 % of requests fail at the gateways"},
    }
    return {"groups": [{"name": "users", "rules": [rule]}]}


def _at(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
