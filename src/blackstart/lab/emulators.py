"""The two AWS emulators behind the router. They take the longest to start, so they are started before all else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blackstart.lab.aws import ministack
from blackstart.lab.aws.moto_app import MotoSpec
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.processes import Processes, Started
from blackstart.lab.topology import PLATFORM, Topology, url


@dataclass(frozen=True)
class Emulators:
    """Their processes, started but not yet ready."""

    moto: Started
    ministack: Started


def start(laid: Topology, folder: Path, processes: Processes) -> Emulators:
    """Start both; ministack keeps its files below ``folder``."""
    scratch = folder / "ministack"
    scratch.mkdir()
    regions = tuple(parts.region for parts in laid.regions())
    spec = MotoSpec(
        *laid.moto,
        regions,
        router_admin_url=url(laid.aws_admin),
        interruption_queue=SeedPlan(name=PLATFORM).interruption_queue,
        time_scale=laid.config.time_scale,
    )
    moto = processes.part("moto", "blackstart.lab.aws.moto_app", spec, preloaded=False)
    argv, environment = ministack.command(*laid.ministack, scratch)
    return Emulators(moto, processes("ministack", argv, cwd=scratch, env=environment))
