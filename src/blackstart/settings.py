"""``blackstart.toml``: what to measure, against which objectives, and what may be touched.

Found by ``$BLACKSTART_CONFIG``, else ``./blackstart.toml``. The scope may be in a file of its own, which
``$BLACKSTART_SCOPE`` names and which then stands for the whole ``[scope]``. Unknown keys and wrong types are refused.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from blackstart import journeys as journey
from blackstart.errors import ConfigInvalid
from blackstart.journal_settings import Archive, Coverage, Publish, Redact
from blackstart.journeys import Journey
from blackstart.monitoring_settings import Monitoring
from blackstart.scope import Scope

CONFIG_VARIABLE = "BLACKSTART_CONFIG"
SCOPE_VARIABLE = "BLACKSTART_SCOPE"
SCOPE = "scope"

Model = TypeVar("Model", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Table):
    """The service whose users are watched, as a client reaches it."""

    name: str = Field(description="what people call it, for sentences: orders")
    host: str = Field(description="name that clients resolve")
    port: int = Field(gt=0, lt=65536)
    protocol: Literal["http/1.1", "http/2"] = "http/1.1"
    tls: bool = False
    ca_file: str = Field(
        default="", description="PEM file that its certificate is checked against; empty: the system's"
    )
    dns: str = Field(default="", description="ip:port of the DNS server to ask; empty: the system's")
    write_path: str = "/orders"
    read_path: str = "/products/{number}"
    ledger_path: str = "/orders?prefix={prefix}&after={after}"
    home_region: str = Field(description="region that serves users before the fault")
    standby_region: str = ""

    @field_validator("write_path", "read_path", "ledger_path")
    @classmethod
    def _no_passwords(cls, text: str) -> str:
        if journey.holds_secret(text):
            raise ValueError("seems to hold a password; journals would keep it")
        return text


class Observing(_Table):
    """How the observer plays the client. Rates per second, times in seconds, shares 0–1."""

    rate: float = Field(default=50, gt=0, le=20_000)
    write_share: float = Field(default=0.5, ge=0, le=1)
    timeout_seconds: float = Field(default=2.0, gt=0)
    baseline_seconds: float = Field(default=5.0, ge=1, description="watched before the fault")
    recovery_share: float = Field(default=0.99, gt=0, le=1, description="ok share that counts as recovered …")
    recovery_window_seconds: float = Field(default=5.0, gt=0, description="… over this long")
    recovery_latency_seconds: float | None = Field(
        default=None, gt=0, description="what took longer does not count as ok for recovery; none: the time-out alone"
    )


class Objectives(_Table):
    """The objectives of the platform (PLATFORM.md's are the defaults). None: not an objective here."""

    rto_seconds: float | None = 3600
    rpo_seconds: float | None = 900
    lost_writes: int | None = None
    dns_failover_seconds: float | None = 60
    availability: float | None = Field(default=None, description="share of requests of this drill")
    error_budget_share: float | None = Field(
        default=1.0, description="share of a year's budget at yearly_availability that this drill may burn"
    )
    yearly_availability: float = Field(default=0.9999, gt=0, lt=1)
    longest_outage_seconds: float | None = None
    p95_seconds: float | None = Field(default=0.1, description="outside the outage")
    p99_seconds: float | None = Field(default=0.2, description="outside the outage")
    failback_downtime_seconds: float | None = Field(
        default=None, description="in which users were not served, from undo until home serves them again"
    )
    time_to_detect_seconds: float | None = Field(
        default=None, description="from the fault until an alert of [monitoring] fires; every one of them must"
    )


class Evidence(_Table):
    """Where the steps of a fail-over are seen, all in the standby region. Empty: that step is not observed."""

    aws_region: str = ""
    global_cluster: str = Field(default="", description="Aurora global cluster whose writer moves (promote)")
    kube_context: str = Field(default="", description="kubeconfig context of the standby cluster")
    namespace: str = ""
    deployment: str = Field(default="", description="deployment that is scaled up (scale)")
    event_object: str = Field(default="", description="object whose Kubernetes Events tell detect and decide")
    calls_url: str = Field(
        default="",
        description="where the platform tells, as JSON, which AWS calls were made; docs/measuring-region-loss.md",
    )


class Stores(_Table):
    """The data stores that drills look into or break, by region, as one who administers them connects.

    A change remembers how to reach what it changed, in the undo log and in journals: so no password may be in here.
    PostgreSQL reads them from ``$PGPASSFILE``, Redis from ``$REDISCLI_AUTH``.
    """

    databases: Mapping[str, str] = Field(
        default_factory=dict, description="libpq connection string of the writer's endpoint, by region"
    )
    caches: Mapping[str, str] = Field(default_factory=dict, description="redis:// URL of the primary, by region")

    @field_validator("databases", "caches")
    @classmethod
    def _no_passwords(cls, addresses: Mapping[str, str]) -> Mapping[str, str]:
        for region, address in addresses.items():
            if re.search(r"password\s*=|://[^/@]*:[^/@]+@", address):
                raise ValueError(f"the address in {region} holds a password; leave it to $PGPASSFILE or $REDISCLI_AUTH")
        return addresses


class Ledger(_Table):
    """How the writes of a drill are read back from the databases of ``[stores]`` themselves; docs/ledger.md."""

    sql: str = Field(
        default="",
        description="asked of every region's database: the keys that begin with %(prefix)s, in a column key; perhaps "
        "place (grows in the order of writing) and copies; empty: writes are read back through the service alone",
    )
    timeout_seconds: float = Field(default=30.0, gt=0, description="for one database")

    @field_validator("sql")
    @classmethod
    def _asks_for_a_drill(cls, sql: str) -> str:
        if sql and "%(prefix)s" not in sql:
            raise ValueError("does not hold %(prefix)s, so it would read back more than the writes of one drill")
        return sql


class Prices(_Table):
    """What changes cost, for plans, by change kind ("ec2.subnet_acl"); a kind in neither table has no price."""

    currency: str = "USD"
    once: Mapping[str, float] = Field(default_factory=dict, description="for each change of this kind")
    per_hour: Mapping[str, float] = Field(default_factory=dict, description="for each change, while it is in place")


class Settings(_Table):
    """The whole file."""

    scope: Scope
    service: Service
    observer: Observing = Observing()
    journeys: tuple[Journey, ...] = Field(default=(), description="none: one, made of [service]")
    objectives: Objectives = Objectives()
    evidence: Evidence = Evidence()
    stores: Stores = Stores()
    ledger: Ledger = Ledger()
    prices: Prices = Prices()
    monitoring: Monitoring = Monitoring()
    archive: Archive = Archive()
    redact: Redact = Redact()
    publish: Publish = Publish()
    coverage: Coverage = Coverage()
    journals: str = Field(default="journals", description="folder for journals, relative to the working folder")
    undo_log: str = Field(default="", description="URL of the undo log; empty: sqlite in the user's state folder")

    @model_validator(mode="after")
    def _journeys_fit(self) -> Settings:
        named = {"postgresql": tuple(self.stores.databases), "redis": tuple(self.stores.caches)}
        if found := journey.problem(self.journeys, named):
            raise ValueError(found)
        return self


def find(environ: Mapping[str, str], folder: Path) -> Path:
    """Path of the configuration file to use; ConfigInvalid if there is none."""
    named = environ.get(CONFIG_VARIABLE, "")
    path = Path(named) if named else folder / "blackstart.toml"
    if not path.is_file():
        where = f"${CONFIG_VARIABLE}" if named else "blackstart.toml"
        raise ConfigInvalid(
            str(path), "", f"no such file, so there is no scope and nothing may be touched; write it, or set {where}"
        )
    return path


def load(path: Path, scope: Path | None = None) -> Settings:
    """Read and check ``path``, with the scope from the file ``scope`` if given.

    ConfigInvalid names the first wrong key, and says so if there is no scope at all.
    """
    data = _read(path)
    if scope is not None:
        data[SCOPE] = _scope_alone(scope)
    elif SCOPE not in data:
        raise ConfigInvalid(
            str(path),
            SCOPE,
            "there is no such table, so nothing may be touched; write it, "
            f"or name a file that has it with --scope or ${SCOPE_VARIABLE}",
        )
    return _checked(Settings, data, path)


def _scope_alone(path: Path) -> Scope:
    """The scope in a file of its own: its keys at the top, or under ``[scope]`` in a whole ``blackstart.toml``."""
    data = _read(path)
    if SCOPE not in data:
        return _checked(Scope, data, path)
    unknown = next((key for key in data if key not in Settings.model_fields), None)
    if unknown is not None:
        raise ConfigInvalid(str(path), unknown, "unknown key beside [scope]; what belongs to the scope goes into it")
    return _checked(Scope, data[SCOPE], path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigInvalid(str(path), "", str(error)) from error


def _checked(model: type[Model], data: Any, path: Path) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid(str(path), error) from error


def invalid(path: str, error: ValidationError) -> ConfigInvalid:
    """One complaint of ``error`` as a sentence: an unknown key before others, because it may be why others miss."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    where = ".".join(str(part) for part in first["loc"])
    problem = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return ConfigInvalid(path, where, problem)


def current(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """The settings in force for this process."""
    folder = folder or Path.cwd()
    named = environ.get(SCOPE_VARIABLE, "")
    return load(find(environ, folder), folder / named if named else None)


def undo_log(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> str:
    """URL of the undo log in force, "" for this user's: what it takes to put things back, which needs no scope.

    ConfigInvalid if a configuration file is named that is not there, or one is there that cannot be read.
    """
    folder = folder or Path.cwd()
    if not environ.get(CONFIG_VARIABLE) and not (folder / "blackstart.toml").is_file():
        return ""
    path = find(environ, folder)
    url = _read(path).get("undo_log", "")
    if not isinstance(url, str):
        raise ConfigInvalid(str(path), "undo_log", "not a string")
    return url


def scoped(environ: Mapping[str, str], scope: Path | None) -> dict[str, str]:
    """``environ`` in which the file ``scope`` is the scope in force, for this process and those that it starts."""
    return {**environ, **({SCOPE_VARIABLE: str(scope.absolute())} if scope is not None else {})}
