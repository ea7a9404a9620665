"""The standby region, as the fail-over automation sees and changes it: only through APIs of that region.

Every call gives up within seconds, with ServiceUnreachable. A call that changes something first looks whether that is
still to be done, so it may be made again after an answer was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.errors import ServiceUnreachable
from blackstart.lab.aws_clients import impatient, session
from blackstart.lab.cluster import Cluster

CALL_SECONDS = 3.0
GATEWAY_SECONDS = 1.0
READERS = 10


class Region:
    """AWS in ``name`` at ``aws_url``, the Kubernetes API ``cluster`` and the gateway at ``gateway_url``."""

    def __init__(
        self, name: str, aws_url: str, cluster: Cluster, gateway_url: str, http: aiohttp.ClientSession
    ) -> None:
        self.name = name
        self.cluster = cluster
        self._aws_url = aws_url
        self._gateway = gateway_url
        self._http = http
        self._clients: dict[str, Any] = {}

    def connect(self) -> None:
        """Load the service models: most of a second that nobody wants to spend in the middle of a fail-over."""
        made = session()
        made.user_agent_extra = "failover-automation"
        for service in ("rds", "eks", "elasticache"):
            self._clients[service] = impatient(made, self._aws_url, service, self.name, CALL_SECONDS)

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    async def database_is_writer(self, global_cluster: str) -> bool:
        """Whether RDS has the writer of ``global_cluster`` in this region."""
        return bool((await self._database_member(global_cluster))["IsWriter"])

    async def fail_over_database(self, global_cluster: str) -> None:
        """Make this region's cluster the writer, at the price of what was not replicated; not if it is already."""
        member = await self._database_member(global_cluster)
        if not member["IsWriter"]:
            await self._aws(
                "rds",
                "failover_global_cluster",
                GlobalClusterIdentifier=global_cluster,
                TargetDbClusterIdentifier=member["DBClusterArn"],
                AllowDataLoss=True,
            )

    async def cache_is_primary(self, global_id: str) -> bool:
        """Whether ElastiCache has the primary of global datastore ``global_id`` in this region."""
        return bool((await self._cache_member(global_id))["Role"] == "PRIMARY")

    async def fail_over_cache(self, global_id: str) -> None:
        """Make this region's replication group the primary; not if it is already."""
        member = await self._cache_member(global_id)
        if member["Role"] != "PRIMARY":
            await self._aws(
                "elasticache",
                "failover_global_replication_group",
                GlobalReplicationGroupId=global_id,
                PrimaryRegion=self.name,
                PrimaryReplicationGroupId=member["ReplicationGroupId"],
            )

    async def node_group(self, cluster: str, name: str) -> dict[str, int]:
        """Smallest, largest and wanted size of node group ``name`` of EKS cluster ``cluster``, by EKS's names."""
        group = (await self._aws("eks", "describe_nodegroup", clusterName=cluster, nodegroupName=name))["nodegroup"]
        return {size: int(group["scalingConfig"][size]) for size in ("minSize", "maxSize", "desiredSize")}

    async def resize_node_group(self, cluster: str, name: str, sizes: Mapping[str, int]) -> None:
        """Give node group ``name`` these sizes, all three; not if it has them already."""
        if await self.node_group(cluster, name) != dict(sizes):
            called = {"clusterName": cluster, "nodegroupName": name}
            await self._aws("eks", "update_nodegroup_config", scalingConfig=dict(sizes), **called)

    async def config_value(self, path: str, key: str) -> str:
        """The value of ``key`` of the ConfigMap at ``path``; "" if there is none."""
        _, found = await self.cluster.call("GET", path, accepts=(404,))
        return str((found.get("data") or {}).get(key, ""))

    async def annotations(self, path: str) -> dict[str, str]:
        """The annotations of the object at ``path``."""
        _, found = await self.cluster.call("GET", path)
        return dict(found["metadata"].get("annotations") or {})

    async def annotate(self, path: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of the object at ``path``; None takes one away."""
        await self.cluster.merge(path, {"metadata": {"annotations": dict(annotations)}})

    async def replicas(self, path: str) -> tuple[int, int]:
        """Replicas wanted and ready of the Deployment at ``path``."""
        _, found = await self.cluster.call("GET", path)
        return int(found["spec"].get("replicas", 1)), int((found.get("status") or {}).get("readyReplicas") or 0)

    async def scale_deployment(self, path: str, replicas: int) -> None:
        """Want ``replicas`` replicas of the Deployment at ``path``."""
        await self.cluster.merge(f"{path}/scale", {"spec": {"replicas": replicas}})

    async def takes_orders(self) -> bool:
        """Whether the service behind this region's gateway says that its database takes writes."""
        return (await self._get("/healthz"))[0] == 200

    async def hit_ratio(self, products: int) -> float:
        """Read each product once through the gateway: the share that the cache had, 0-1."""
        left = iter(range(1, products + 1))
        hits = 0

        async def read() -> None:
            nonlocal hits
            for number in left:
                status, headers = await self._get(f"/products/{number}")
                hits += status == 200 and headers.get("x-cache") == "hit"

        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(read())
        return hits / products

    async def _get(self, path: str) -> tuple[int, Mapping[str, str]]:
        timeout = aiohttp.ClientTimeout(total=GATEWAY_SECONDS)
        try:
            async with self._http.get(self._gateway + path, timeout=timeout) as answer:
                await answer.read()
                return answer.status, answer.headers
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, {}

    async def _database_member(self, global_cluster: str) -> dict[str, Any]:
        answer = await self._aws("rds", "describe_global_clusters", GlobalClusterIdentifier=global_cluster)
        for found in answer["GlobalClusters"]:
            for member in found["GlobalClusterMembers"]:
                if member["DBClusterArn"].split(":")[3] == self.name:
                    return dict(member)
        raise ServiceUnreachable("find our database", f"global cluster {global_cluster}", f"has none in {self.name}")

    async def _cache_member(self, global_id: str) -> dict[str, Any]:
        answer = await self._aws(
            "elasticache",
            "describe_global_replication_groups",
            GlobalReplicationGroupId=global_id,
            ShowMemberInfo=True,
        )
        for found in answer["GlobalReplicationGroups"]:
            for member in found["Members"]:
                if member["ReplicationGroupRegion"] == self.name:
                    return dict(member)
        raise ServiceUnreachable("find our cache", f"global datastore {global_id}", f"has none in {self.name}")

    async def _aws(self, service: str, operation: str, **arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self._clients[service], operation), **arguments)
        except (BotoCoreError, ClientError) as error:
            raise ServiceUnreachable(f"call {operation}", f"{service} in {self.name}", str(error)) from error
