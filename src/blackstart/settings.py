"""``blackstart.toml``: what to measure, against which objectives, and what may be touched.

Found by ``$BLACKSTART_CONFIG``, else ``./blackstart.toml``. Unknown keys and wrong types are refused.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blackstart.errors import ConfigInvalid
from blackstart.scope import Scope

CONFIG_VARIABLE = "BLACKSTART_CONFIG"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Table):
    """The service whose users are watched, as a client reaches it."""

    name: str = Field(description="what people call it, for sentences: orders")
    host: str = Field(description="name that clients resolve")
    port: int = Field(gt=0, lt=65536)
    dns: str = Field(default="", description="ip:port of the DNS server to ask; empty: the system's")
    write_path: str = "/orders"
    read_path: str = "/products/{number}"
    ledger_path: str = "/orders?prefix={prefix}&after={after}"
    home_region: str = Field(description="region that serves users before the fault")
    standby_region: str = ""


class Observing(_Table):
    """How the observer plays the client. Rates per second, times in seconds, shares 0–1."""

    rate: float = Field(default=50, gt=0, le=2000)
    write_share: float = Field(default=0.5, ge=0, le=1)
    timeout_seconds: float = Field(default=2.0, gt=0)
    baseline_seconds: float = Field(default=5.0, ge=1, description="watched before the fault")
    recovery_share: float = Field(default=0.99, gt=0, le=1, description="ok share that counts as recovered …")
    recovery_window_seconds: float = Field(default=5.0, gt=0, description="… over this long")


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


class Evidence(_Table):
    """Where the steps of a fail-over are seen, all in the standby region. Empty: that step is not observed."""

    aws_region: str = ""
    global_cluster: str = Field(default="", description="Aurora global cluster whose writer moves (promote)")
    kube_context: str = Field(default="", description="kubeconfig context of the standby cluster")
    namespace: str = ""
    deployment: str = Field(default="", description="deployment that is scaled up (scale)")
    event_object: str = Field(default="", description="object whose Kubernetes Events tell detect and decide")


class Settings(_Table):
    """The whole file."""

    scope: Scope
    service: Service
    observer: Observing = Observing()
    objectives: Objectives = Objectives()
    evidence: Evidence = Evidence()
    journals: str = Field(default="journals", description="folder for journals, relative to the working folder")
    undo_log: str = Field(default="", description="URL of the undo log; empty: sqlite in the user's state folder")


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


def load(path: Path) -> Settings:
    """Read and check ``path``; ConfigInvalid names the first wrong key."""
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(str(path), "", str(error)) from error
    except ValidationError as error:
        raise invalid(str(path), error) from error


def invalid(path: str, error: ValidationError) -> ConfigInvalid:
    """One complaint of ``error`` as a sentence: an unknown key before others, because it may be why others miss."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    where = ".".join(str(part) for part in first["loc"])
    problem = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
    return ConfigInvalid(path, where, problem)


def current(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """The settings in force for this process."""
    return load(find(environ, folder or Path.cwd()))
