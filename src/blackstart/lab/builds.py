"""What runs in a pod, by its image: the order service and its worker, told where their backends are. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.lab.manifests import WORKER
from blackstart.lab.orders.app import OrdersSpec
from blackstart.lab.orders.worker import WorkerSpec
from blackstart.lab.parts import Address
from blackstart.lab.podrun import Build, Place
from blackstart.lab.topology import PLATFORM, SERVICE, RegionParts, url

ORDERS_IMAGE, WORKER_IMAGE = f"{PLATFORM}/{SERVICE}", f"{PLATFORM}/{WORKER}"
DATABASE, DATABASE_USER = "shop", "shop"


def dsn(address: Address) -> str:
    """How to connect to the service's database at ``address``, for libpq."""
    return f"host={address[0]} port={address[1]} dbname={DATABASE} user={DATABASE_USER}"


def builds(parts: RegionParts, queue_url: str, bucket: str) -> Mapping[str, Build]:
    """The images that can be run in a region. Its pods use the stores, the queue and the bucket of that region."""

    def orders(place: Place) -> tuple[str, object]:
        spec = OrdersSpec(
            host=place.address[0],
            port=place.address[1],
            pod=place.pod,
            node=place.node,
            region=place.region,
            zone=place.zone,
            database=dsn(parts.database[place.zone]),
            cache=parts.cache[place.zone],
            aws_url=url(parts.aws[place.zone]),
            queue_url=queue_url,
        )
        return ("blackstart.lab.orders.app", spec)

    def worker(place: Place) -> tuple[str, object]:
        spec = WorkerSpec(
            host=place.address[0],
            port=place.address[1],
            pod=place.pod,
            node=place.node,
            region=place.region,
            zone=place.zone,
            aws_url=url(parts.aws[place.zone]),
            queue_url=queue_url,
            bucket=bucket,
        )
        return ("blackstart.lab.orders.worker", spec)

    return {ORDERS_IMAGE: orders, WORKER_IMAGE: worker}
