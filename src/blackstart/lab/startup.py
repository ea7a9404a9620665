"""Starting the parts of a lab, all at once as far as they allow; each step waits for what it stands on and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from blackstart.clock import Clock
from blackstart.lab import manifests
from blackstart.lab.automation import AutomationSpec
from blackstart.lab.aws import ministack
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.aws.router import RouterSpec
from blackstart.lab.aws.seed import Seeded, seed
from blackstart.lab.catalog import Catalog, Entry
from blackstart.lab.cluster import Cluster
from blackstart.lab.dns import DnsSpec
from blackstart.lab.emulators import Emulators
from blackstart.lab.kube.server import KubeSpec
from blackstart.lab.linking import Linking
from blackstart.lab.links import LinkSpec
from blackstart.lab.parts import Address
from blackstart.lab.processes import Processes, Started
from blackstart.lab.topology import NAMESPACE, SERVICE, ZONE, Entrance, RegionParts, Topology, url
from blackstart.lab.waiting import until_healthy

CHECK_SECONDS = 0.5  # besides the way between the regions, there and back


@dataclass(frozen=True)
class Starter:
    """Starts the parts of ``laid``. Every method returns when what it started is ready; LabError when it ended."""

    laid: Topology
    folder: Path
    processes: Processes
    catalog: Catalog
    session: aiohttp.ClientSession
    clock: Clock

    async def links(self) -> Linking:
        """The links process, with every planned link laid."""
        host, port = self.laid.links_admin
        started = self._part("links", "links", LinkSpec(host, port), self.laid.links_admin)
        await self._healthy(started, self.laid.links_admin)
        entrances = [entrance for parts in self.laid.regions() for entrance in parts.entrances]
        linking = Linking(
            self.session, url(self.laid.links_admin), tuple(url(entrance.admin) for entrance in entrances)
        )
        await asyncio.gather(
            *(linking.lay(link) for link in self.laid.links), *(self._entrance(entrance) for entrance in entrances)
        )
        return linking

    async def _entrance(self, entrance: Entrance) -> None:
        """A process that carries nothing but what comes in this way."""
        host, port = entrance.admin
        await self._healthy(self._part(entrance.name, "links", LinkSpec(host, port), entrance.admin), entrance.admin)
        await Linking(self.session, url(entrance.admin)).lay(entrance.way)

    async def aws(self, plan: SeedPlan, emulators: Emulators, preloaded: Awaitable[None]) -> Seeded:
        """The AWS API: the router in front of ``emulators``, and the account of ``plan``."""
        laid = self.laid
        self.catalog.add("moto", Entry("aws", laid.moto))
        self.catalog.add("ministack", Entry("aws", laid.ministack))
        spec = RouterSpec(*laid.aws, laid.aws_admin[1], url(laid.moto), url(laid.ministack), url(laid.dns_admin))
        await preloaded
        router = self._part("aws", "aws.router", spec, laid.aws)
        await asyncio.gather(
            self._healthy(router, laid.aws_admin),
            self._healthy(emulators.moto, laid.moto),
            self._healthy(emulators.ministack, laid.ministack, ministack.HEALTH_PATH),
        )
        return await asyncio.to_thread(seed, url(laid.aws), plan)

    async def dns(self) -> None:
        laid = self.laid
        spec = DnsSpec(
            host=laid.dns[0],
            port=laid.dns[1],
            admin_port=laid.dns_admin[1],
            aws_url=url(laid.aws_admin),  # Route 53's data plane calls no API that a region could take with it
            router_admin_url=url(laid.aws_admin),
            zone=ZONE,
            time_scale=laid.config.time_scale,
        )
        await self._healthy(self._part("dns", "dns", spec, laid.dns), laid.dns_admin)

    async def kubernetes(self, parts: RegionParts) -> str:
        """The API server of one region; no nodes and no pods yet. The uid of its namespace kube-system."""
        host, port = parts.kube_listener
        spec = KubeSpec(region=parts.region, cluster=parts.cluster, host=host, port=port)
        name = f"kubernetes-{parts.region}"
        await self._healthy(self._part(name, "kube.server", spec, parts.kube, region=parts.region), parts.kube_listener)
        cluster = Cluster(self.session, url(parts.kube_listener))
        _, found = await cluster.call("GET", f"{manifests.CORE}/namespaces/kube-system")
        return str(found["metadata"]["uid"])

    async def workloads(self, parts: RegionParts) -> None:
        """The service's workloads in one region; when nodes are there, so that pods spread over all of them.

        Only at home are there any users to follow: the standby is grown by the fail-over automation.
        """
        cluster = Cluster(self.session, url(parts.kube_listener))
        await cluster.create(f"{manifests.CORE}/namespaces", manifests.namespace())
        for workload, replicas in ((SERVICE, parts.size.replicas), (manifests.WORKER, 1)):
            path = f"{manifests.APPS}/namespaces/{NAMESPACE}/deployments"
            await cluster.create(path, manifests.deployment(workload, replicas))
        await cluster.create(f"{manifests.POLICY}/poddisruptionbudgets", manifests.budget(SERVICE))
        if parts is self.laid.home and parts.size.replicas:
            scaler = manifests.autoscaler(SERVICE, parts.size.replicas)
            await cluster.create(f"{manifests.AUTOSCALING}/horizontalpodautoscalers", scaler)

    async def automation(self, plan: SeedPlan) -> None:
        """The platform's own fail-over automation, watching. It makes the standby region as large as home is."""
        laid, failover, size = self.laid, self.laid.config.failover, self.laid.home.size
        spec = AutomationSpec(
            host=laid.automation[0],
            port=laid.automation[1],
            home_region=laid.home.region,
            standby_region=laid.standby.region,
            aws_url=url(laid.aws),
            kube_url=url(laid.standby.kube),
            health_url=f"{url(laid.automation_probe)}/healthz",
            gateway_url=url(laid.standby.gateway),
            check_interval_seconds=failover.check_interval_seconds,
            check_timeout_seconds=CHECK_SECONDS + 2 * laid.config.wan_delay_seconds,
            failures_to_decide=failover.failures_to_decide,
            decide_seconds=failover.decide_seconds,
            namespace=NAMESPACE,
            deployment=SERVICE,
            replicas=size.replicas,
            cluster=laid.standby.cluster,
            node_groups=tuple((group.name, group.desired) for group in plan.home.node_groups),
            global_cluster=plan.global_cluster,
            cache_global_id=plan.cache_global_id,
        )
        zone = laid.standby.zones[0]
        started = self._part("automation", "automation", spec, laid.automation, region=laid.standby.region, zone=zone)
        await self._healthy(started, laid.automation)

    def _part(
        self,
        name: str,
        module: str,
        spec: object,
        address: Address,
        *,
        region: str = "",
        zone: str = "",
    ) -> Started:
        self.catalog.add(name, Entry(name.partition("-")[0], address, region, zone))
        return self.processes.part(name, f"blackstart.lab.{module}", spec)

    async def _healthy(self, part: Started, address: Address, path: str = "/healthz") -> None:
        await until_healthy(self.session, url(address) + path, part, self.processes.log(part.name), self.clock)
