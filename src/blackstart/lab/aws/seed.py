"""Fill a fresh AWS API with the account of a plan: networks, nodes, data stores, names."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from blackstart.clock import Clock, SystemClock
from blackstart.errors import LabError
from blackstart.lab.aws import seed_data, seed_names, seed_nodes
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import SeedPlan

_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Seeded:
    """Ids that only exist once the account does; by region where nothing else is said."""

    vpc: dict[str, str]
    subnets: dict[str, str]  # by zone
    auto_scaling_groups: dict[str, tuple[str, ...]]
    hosted_zone: str
    health_check: str
    queue_urls: dict[str, str]
    buckets: dict[str, str]
    global_cluster: str
    cache_global_id: str


def seed(endpoint_url: str, plan: SeedPlan, *, patience_seconds: float = 30.0, clock: Clock | None = None) -> Seeded:
    """Make everything that ``plan`` names at ``endpoint_url``; one to two seconds.

    May be called before the emulators answer: waits ``patience_seconds`` for each, then raises LabError. Raises
    botocore's ClientError if a call is refused, as in an account that is not fresh.
    """
    clients = Clients(endpoint_url)
    try:
        return _seed(clients, plan, _Patience(clock or SystemClock(), patience_seconds))
    finally:
        clients.close()


@dataclass(frozen=True)
class _Patience:
    clock: Clock
    seconds: float

    def until(self, part: str, call: Callable[[], Any]) -> None:
        """Repeat ``call`` until ``part`` answers it."""
        deadline = self.clock.monotonic() + self.seconds
        while True:
            try:
                call()
                return
            except (ClientError, HTTPClientError, NoConnection) as error:
                if self.clock.monotonic() > deadline:
                    raise LabError("fill the AWS account", f"{part} did not answer: {error}") from error
            self.clock.sleep(_PAUSE_SECONDS)


def _seed(clients: Clients, plan: SeedPlan, patience: _Patience) -> Seeded:
    home = plan.home.name
    with ThreadPoolExecutor(max_workers=7, thread_name_prefix="seed") as pool:
        made = [pool.submit(clients, service, home) for service in ("ec2", "autoscaling", "eks", "elbv2")]
        patience.until("ministack", clients.impatient("sqs", home).list_queues)
        databases = pool.submit(seed_data.seed_databases, clients, plan)
        buckets = pool.submit(seed_data.seed_buckets, clients, plan)
        queues = pool.submit(seed_data.seed_queues, clients, plan)
        patience.until("moto", clients.impatient("sts", home).get_caller_identity)
        nodes = {region.name: pool.submit(seed_nodes.seed_region, clients, plan, region) for region in plan.regions}
        names = pool.submit(seed_names.seed_names, clients, plan)
        caches = pool.submit(seed_data.seed_caches, clients, plan)
        for future in (*made, databases):
            future.result()
        regions = {name: future.result() for name, future in nodes.items()}
        return Seeded(
            vpc={name: region.vpc for name, region in regions.items()},
            subnets={zone: subnet for region in regions.values() for zone, subnet in region.subnets.items()},
            auto_scaling_groups={name: region.auto_scaling_groups for name, region in regions.items()},
            hosted_zone=names.result().hosted_zone,
            health_check=names.result().health_check,
            queue_urls=queues.result(),
            buckets=buckets.result(),
            global_cluster=plan.global_cluster,
            cache_global_id=caches.result(),
        )
