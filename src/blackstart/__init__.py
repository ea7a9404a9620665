"""Blackstart: disaster-recovery game days for Chaos Toolkit.

`chaos discover chaostoolkit-blackstart` reads :func:`discover`; experiments name the modules under
``blackstart.actions``, ``blackstart.probes`` and ``blackstart.hypotheses`` and the control ``blackstart.control``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

__all__ = ["__version__", "discover"]

__version__ = version("chaostoolkit-blackstart")


def activity_modules() -> list[ModuleType]:
    """Every module of actions, probes and hypotheses, found rather than listed, so that none is forgotten."""
    found = []
    for package in ("actions", "probes", "hypotheses"):
        parent = import_module(f"blackstart.{package}")
        names = sorted(info.name for info in pkgutil.iter_modules(parent.__path__))
        found += [import_module(f"blackstart.{package}.{name}") for name in names if not name.startswith("_")]
    return found


def discover(discover_system: bool = True) -> Any:
    """What this extension offers, in the form that ``chaos discover`` asks of an extension."""
    from chaoslib.discovery.discover import discover_activities, initialize_discovery_result

    discovery = initialize_discovery_result("chaostoolkit-blackstart", __version__, "blackstart")
    for module in activity_modules():
        kind = module.__name__.split(".")[1]
        if kind != "hypotheses":
            discovery["activities"].extend(discover_activities(module.__name__, kind.rstrip("s")))
    return discovery
