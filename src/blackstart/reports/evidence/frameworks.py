"""The frameworks that evidence can be made for: their controls, what each needs to see, and what no drill can show.

Identifiers are the standards' own; every sentence beside them is this package's. One YAML file for each framework.
"""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence.shown import Kind


class Name(StrEnum):
    """What ``--framework`` takes."""

    SOC2 = "soc2"
    PCI_DSS = "pci-dss"
    HIPAA = "hipaa"
    GDPR = "gdpr"
    ISO22301 = "iso22301"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Control(_Table):
    """One control.

    ``needs``: what drills have to show, all of it; ``also``: what else of theirs speaks to it. ``why`` it does, and
    ``but``: what of the control it does not show. ``days``: on how many different days something has to have been
    drilled; ``within_days``: how old the newest drill may be at the end of the period.
    """

    id: str
    title: str
    needs: tuple[Kind, ...] = Field(min_length=1)
    also: tuple[Kind, ...] = ()
    why: str
    but: str
    days: int = 1
    within_days: int | None = None


class Outside(_Table):
    """Controls that one might look for here, and ``why`` no drill speaks to them."""

    id: str
    why: str


class Framework(_Table):
    """``said_by``: who alone may say that the framework is complied with."""

    key: Name
    name: str
    edition: str
    said_by: str
    controls: tuple[Control, ...]
    outside: tuple[Outside, ...]


def load(name: str) -> Framework:
    """The framework of that name, from this package; ConfigInvalid if there is none."""
    if name not in tuple(Name):
        raise ConfigInvalid("--framework", "", f"{name!r} is none of {', '.join(Name)}")
    text = files("blackstart.reports.evidence").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return Framework.model_validate(yaml.safe_load(text))
