"""What a lab is like: an optional TOML file, every key with a default. Unknown keys are refused.

Times in seconds. A zone is named by its region and a letter: zone ``a`` of ``us-east-1`` is ``us-east-1a``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from blackstart.errors import ConfigInvalid
from blackstart.settings import invalid


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegionSize(_Table):
    """One region: its zones, its instances by capacity type, and the replicas of the order service."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    zones: tuple[str, ...] = ("a", "b", "c")
    on_demand: int = Field(ge=0, le=20)
    spot: int = Field(ge=0, le=20)
    replicas: int = Field(ge=0, le=50)
    database_replicas: int = Field(default=0, ge=0, le=2)
    cache_replicas: int = Field(default=0, ge=0, le=5)

    @field_validator("zones")
    @classmethod
    def _letters(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if len(zones) < 2 or len(set(zones)) != len(zones) or not all(len(z) == 1 and "a" <= z <= "z" for z in zones):
            raise ValueError("should be two or more different letters")
        return zones

    def zone_names(self) -> tuple[str, ...]:
        """Full names of the zones: ``us-east-1a`` …"""
        return tuple(f"{self.region}{letter}" for letter in self.zones)


class Failover(_Table):
    """The platform's own fail-over automation, which is under test."""

    enabled: bool = True
    check_interval_seconds: float = Field(default=0.5, gt=0)
    failures_to_decide: int = Field(default=4, ge=1)
    decide_seconds: float = Field(
        default=3.0, ge=0, description="pause before it acts, long enough for DNS to have moved first"
    )


class Backups(_Table):
    """Backups of the home region's database, and of the service's namespace there."""

    every_seconds: float = Field(default=30.0, ge=0, description="0: none are taken")


class LabConfig(_Table):
    """The whole file."""

    home: RegionSize = RegionSize(
        region="us-east-1", on_demand=3, spot=2, replicas=6, database_replicas=1, cache_replicas=2
    )
    standby: RegionSize = RegionSize(region="us-west-2", on_demand=2, spot=0, replicas=2)
    wan_delay_seconds: float = Field(default=0.05, ge=0, le=10, description="one way, between the regions")
    replication: Literal["async", "sync"] = "async"
    time_scale: float = Field(default=10.0, gt=0, description="how many times faster health checks and FIS run")
    failover: Failover = Failover()
    backups: Backups = Backups()
    users: int = Field(
        default=0,
        ge=0,
        le=200_000,
        description="users that hold a connection at the same time; 0: as many as one way in carries (9,000)",
    )
    monitoring: Literal["auto", "off"] = Field(
        default="auto", description="auto: Prometheus and Alertmanager watch the gateways, if both are installed"
    )
    start_seconds: float = Field(default=60.0, gt=0, description="a lab that takes longer to start is given up")

    @model_validator(mode="after")
    def _two_regions(self) -> LabConfig:
        if self.home.region == self.standby.region:
            raise ValueError("home and standby should be two different regions")
        return self

    def sizes(self) -> tuple[RegionSize, RegionSize]:
        """Both regions, home first."""
        return (self.home, self.standby)


def load(path: Path | None) -> LabConfig:
    """The configuration in ``path``, or the defaults; ConfigInvalid names the first wrong key."""
    if path is None:
        return LabConfig()
    try:
        return LabConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(str(path), "", str(error)) from error
    except ValidationError as error:
        raise invalid(str(path), error) from error
