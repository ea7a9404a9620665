"""Which parts a lab has, where each of them is, and which links join them. Pure.

Every connection that could be lost with a zone goes through a link, and a link says which zones it crosses: it is
cut when one of its groups has all its zones cut. Two parts in one zone talk directly, as inside one subnet.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blackstart.lab.config import LabConfig, RegionSize
from blackstart.lab.parts import Address

LOOPBACK = "127.0.0.1"
EDGE, HOME_GATEWAY, STANDBY_GATEWAY = "127.0.0.10", "127.0.0.11", "127.0.0.12"
ACCOUNT = "123456789012"
SERVICE, ZONE = "orders", "shop.test"
SERVICE_HOST, EDGE_HOST = f"{SERVICE}.{ZONE}", f"www.{ZONE}"
NAMESPACE, PLATFORM = "shop", "shop"
ENTRANCE_USERS = 9_000
"""A link takes two file descriptors a user, of the 20,000 that systems with low limits grant a process."""
Crosses = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Link:
    """One way from ``listen`` to ``target``; ``delay_seconds`` in each direction."""

    name: str
    listen: Address
    target: Address
    crosses: Crosses = ()
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Store:
    """One data store server: ``kind`` is ``postgres`` or ``redis``, ``id`` what it is called in the AWS API."""

    name: str
    kind: str
    id: str
    region: str
    zone: str
    address: Address


@dataclass(frozen=True)
class Entrance:
    """One of many ways into a region, of which each carries only so many users: a process with the one link ``way``,
    told what to do at ``admin``, that leads to an Envoy.
    """

    name: str
    admin: Address
    way: Link


@dataclass(frozen=True)
class RegionParts:
    """The parts of one region. ``database``, ``cache`` and ``aws`` say how a pod reaches them, by the pod's zone.

    ``databases`` and ``caches`` start with those that lead them at first. Pods reach the leading one, as does who uses
    ``database_endpoint`` and ``cache_endpoint``, from outside all zones. ``gateway`` and ``kube`` are what clients are
    told; Envoy and the API server listen at ``gateway_listener`` and ``kube_listener``, behind links. Where many users
    are to come, the name leads to all ``entrances`` instead of ``gateway``.
    """

    size: RegionSize
    gateway: Address
    gateway_listener: Address
    gateway_admin: Address
    kube: Address
    kube_listener: Address
    databases: tuple[Store, ...]
    caches: tuple[Store, ...]
    database_endpoint: Address
    cache_endpoint: Address
    database: Mapping[str, Address]
    cache: Mapping[str, Address]
    aws: Mapping[str, Address]
    entrances: tuple[Entrance, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that the service's name has while this region serves."""
        return tuple(entrance.way.listen[0] for entrance in self.entrances) or (self.gateway[0],)

    @property
    def region(self) -> str:
        return self.size.region

    @property
    def cluster(self) -> str:
        """Name of the EKS cluster, of its kubeconfig context, and of the RDS and ElastiCache groups."""
        return f"{PLATFORM}-{self.region}"

    @property
    def zones(self) -> tuple[str, ...]:
        return self.size.zone_names()


@dataclass(frozen=True)
class Topology:
    """The whole lab. ``replication`` says how a store of the key's name reaches the one of the value's name."""

    config: LabConfig
    home: RegionParts
    standby: RegionParts
    links: tuple[Link, ...]
    routes: Mapping[tuple[str, str], Address]
    admin: Address
    moto: Address
    ministack: Address
    aws: Address
    aws_admin: Address
    dns: Address
    dns_admin: Address
    links_admin: Address
    edge: Address
    edge_admin: Address
    automation: Address
    automation_probe: Address

    def regions(self) -> tuple[RegionParts, RegionParts]:
        """Both regions, home first."""
        return (self.home, self.standby)

    def region(self, name: str) -> RegionParts:
        """The parts of region ``name``; KeyError if it is not in this lab."""
        return {parts.region: parts for parts in self.regions()}[name]

    def stores(self) -> tuple[Store, ...]:
        return tuple(store for parts in self.regions() for store in (*parts.databases, *parts.caches))

    def route(self, source: Store, to: Store) -> Address:
        """Where ``source`` connects in order to follow ``to``."""
        return self.routes[source.name, to.name]


def database_arn(region: str) -> str:
    """The ARN of the database cluster of a region."""
    return f"arn:aws:rds:{region}:{ACCOUNT}:cluster:{PLATFORM}-{region}"


def spread(zones: Sequence[str], count: int) -> tuple[str, ...]:
    """The zones of ``count`` servers, one after the other."""
    return tuple(zones[number % len(zones)] for number in range(count))


def control_plane(region: str) -> str:
    """The name under which links that lead to a region's Kubernetes API are cut, beside the names of zones."""
    return f"control-plane:{region}"


def url(address: Address) -> str:
    return f"http://{address[0]}:{address[1]}"


def plan(config: LabConfig, admin: Address, take: Callable[[str], int]) -> Topology:
    """Lay out the lab; ``take(host)`` gives a free port on ``host``."""
    draft = _Draft(take)
    aws = draft.at()
    public = take(LOOPBACK)
    ways = math.ceil(config.users / ENTRANCE_USERS)
    home = _region(draft, config.home, (HOME_GATEWAY, public), aws, ways)
    standby = _region(draft, config.standby, (STANDBY_GATEWAY, public), aws, ways)
    draft.follow_each_other((*home.databases, *standby.databases), config.wan_delay_seconds)
    draft.follow_each_other((*home.caches, *standby.caches), config.wan_delay_seconds)
    probe = draft.link("probe-home", home.gateway, (home.zones,), config.wan_delay_seconds)
    return Topology(
        config=config,
        home=home,
        standby=standby,
        links=tuple(draft.links),
        routes=draft.routes,
        admin=admin,
        moto=draft.at(),
        ministack=draft.at(),
        aws=aws,
        aws_admin=draft.at(),
        dns=draft.at(),
        dns_admin=draft.at(),
        links_admin=draft.at(),
        edge=(EDGE, public),
        edge_admin=draft.at(),
        automation=draft.at(),
        automation_probe=probe,
    )


class _Draft:
    """What a plan collects on its way."""

    def __init__(self, take: Callable[[str], int]) -> None:
        self._take = take
        self.links: list[Link] = []
        self.routes: dict[tuple[str, str], Address] = {}

    def at(self) -> Address:
        """A fresh address."""
        return (LOOPBACK, self._take(LOOPBACK))

    def link(self, name: str, target: Address, crosses: Crosses, delay_seconds: float = 0.0) -> Address:
        """A link at a fresh address, which is returned."""
        listen = self.at()
        self.links.append(Link(name, listen, target, crosses, delay_seconds))
        return listen

    def follow_each_other(self, stores: Sequence[Store], delay_seconds: float) -> None:
        """Links by which each of ``stores`` can replicate from each other; between regions they are delayed."""
        for source, to in itertools.permutations(stores, 2):
            delay = 0.0 if source.region == to.region else delay_seconds
            address = self.link(f"{source.name}-follows-{to.name}", to.address, crossing(source.zone, to), delay)
            self.routes[source.name, to.name] = address

    def reach(self, name: str, stores: Sequence[Store], zones: tuple[str, ...]) -> tuple[dict[str, Address], Address]:
        """How pods in each of ``zones``, and others, reach who leads ``stores``; directly where it can be but one."""
        (first, *others) = stores
        ways = {
            zone: first.address
            if zone == first.zone and not others
            else self.link(way(zone, name), first.address, crossing(zone, first))
            for zone in zones
        }
        return ways, self.link(name, first.address, ()) if others else first.address


def way(zone: str, name: str) -> str:
    """The name of the link by which pods in ``zone`` reach who leads the stores ``name``."""
    return f"{zone}-to-{name}"


def crossing(zone: str, store: Store) -> Crosses:
    """What a connection from ``zone`` to ``store`` crosses."""
    return ((zone,), (store.zone,)) if zone != store.zone else ()


def _entrances(draft: _Draft, size: RegionSize, gateway: Address, number: int) -> tuple[Entrance, ...]:
    """Each has an address of its own on the gateway's network, and an Envoy's listener of its own behind it."""
    network = gateway[0].rpartition(".")[2]
    names = (f"entrance-{size.region}-{way}" for way in range(1, number + 1))
    return tuple(
        Entrance(name, draft.at(), Link(name, (f"127.0.{network}.{way}", gateway[1]), draft.at(), (size.zone_names(),)))
        for way, name in enumerate(names, 1)
    )


def _region(draft: _Draft, size: RegionSize, gateway: Address, aws: Address, ways: int) -> RegionParts:
    region, zones = size.region, size.zone_names()
    databases = tuple(
        Store(f"postgres-{region}-{n}", "postgres", f"{PLATFORM}-{region}-{n}", region, zone, draft.at())
        for n, zone in enumerate(spread(zones, 1 + size.database_replicas), 1)
    )
    caches = tuple(
        Store(f"redis-{region}-{n}", "redis", f"{PLATFORM}-{region}-{n:03}", region, zone, draft.at())
        for n, zone in enumerate(spread(zones, 1 + size.cache_replicas), 1)
    )
    database, database_endpoint = draft.reach(f"postgres-{region}", databases, zones)
    cache, cache_endpoint = draft.reach(f"redis-{region}", caches, zones)
    gateway_listener, kube_listener = draft.at(), draft.at()
    draft.links.append(Link(f"gateway-{region}", gateway, gateway_listener, (zones,)))
    return RegionParts(
        size=size,
        gateway=gateway,
        gateway_listener=gateway_listener,
        gateway_admin=draft.at(),
        kube=draft.link(f"kube-{region}", kube_listener, ((control_plane(region),),)),
        kube_listener=kube_listener,
        databases=databases,
        caches=caches,
        database_endpoint=database_endpoint,
        cache_endpoint=cache_endpoint,
        database=database,
        cache=cache,
        aws={zone: draft.link(f"{zone}-to-aws", aws, ((zone,),)) for zone in zones},
        entrances=_entrances(draft, size, gateway, ways),
    )
