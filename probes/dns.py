"""What names resolve to, and what Route 53 goes by.

``name`` "" is the service's. ``resolvers`` are ip:port of DNS servers with commas between; "" is the one of the
settings, else the system's. ``subnet`` ("198.51.100.0/24") is asked for in its place, for answers that depend on where
somebody is. A resolver that does not answer is ServiceUnreachable; "there is no such name" is an answer.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Dict, List

import dns.edns
import dns.exception
import dns.resolver

from blackstart import settings
from blackstart.changes.clients import Clients
from blackstart.changes.health_check import check_of
from blackstart.changes.record_set import fields_of, find_records
from blackstart.errors import ConfigInvalid, NotMeasured, Refused, ServiceUnreachable
from blackstart.observer.resolver import server_address

__all__ = ["answers", "health_check_status", "points_to", "records", "ttl_seconds"]

READ_RECORDS = (
    "route53:ListHostedZonesByName",
    "route53:ListResourceRecordSets",
    "route53:ListTagsForResource",
    "sts:GetCallerIdentity",
)
PERMISSIONS = {
    "health_check_status": ("route53:GetHealthCheckStatus", *READ_RECORDS),
    "records": READ_RECORDS,
}
"""What the probes need that ask an API."""

QUERY_SECONDS, LIFETIME_SECONDS = 0.5, 2.0
SYSTEM = "system"


def answers(name: str = "", resolvers: str = "", subnet: str = "", record_type: str = "A") -> Dict[str, List[str]]:
    """What each resolver answers, sorted; an empty list if it says that there is nothing. The system's is "system"."""
    found = {server: _asked(server, name, subnet, record_type) for server in _servers(resolvers)}
    return {server or SYSTEM: sorted(map(str, answer or ())) for server, answer in found.items()}


def points_to(addresses: str, name: str = "", resolvers: str = "", subnet: str = "", record_type: str = "A") -> bool:
    """Whether every resolver answers with some of ``addresses`` (commas between) and with no others."""
    wanted = {each.strip() for each in addresses.split(",") if each.strip()}
    if not wanted:
        raise ConfigInvalid("points_to", "addresses", "none is given")
    return all(found and set(found) <= wanted for found in answers(name, resolvers, subnet, record_type).values())


def ttl_seconds(name: str = "", resolvers: str = "", subnet: str = "", record_type: str = "A") -> int:
    """For how long clients may go on using the answer; the longest of the resolvers. One that forwards and remembers
    gives what is left of it. NotMeasured when one has nothing to answer."""
    longest = 0
    for server in _servers(resolvers):
        answer = _asked(server, name, subnet, record_type)
        if answer is None:
            raise NotMeasured(f"the TTL of {_name(name)}", f"{server or SYSTEM} answers with nothing")
        longest = max(longest, int(answer.chaining_result.minimum_ttl))
    return longest


def health_check_status(health_check: str = "", zone: str = "", name: str = "", record: str = "") -> float:
    """Share (0–1) of Route 53's checkers that find what a health check watches healthy.

    It is given by its id, or as the one that ``name`` in a hosted zone (id or name) goes by: that of the record with
    the set identifier ``record``, or of its primary one. Checkers say what they see, before inverting: DNS takes a
    check for healthy above 0.18, the opposite if it is inverted, and always if it is disabled. NotMeasured when no
    checker has said anything.
    """
    if bool(health_check) == bool(zone and name):
        raise ConfigInvalid("health_check_status", "health_check", "give its id, or else a hosted zone and a name")
    with _route53() as clients:
        route53 = clients.aws("route53")
        health_check = health_check or check_of(find_records(clients, zone, name), record)
        try:
            found = route53.get_health_check_status(HealthCheckId=health_check)["HealthCheckObservations"]
        except route53.exceptions.NoSuchHealthCheck as error:
            raise ConfigInvalid("health_check_status", "health_check", f"there is no {health_check}") from error
        except route53.exceptions.InvalidInput as error:
            raise NotMeasured(f"health check {health_check}", "Route 53 has no checkers for its type") from error
    said = [str(each["StatusReport"]["Status"]) for each in found if each.get("StatusReport")]
    if not said:
        raise NotMeasured(f"health check {health_check}", "no checker has said anything yet")
    return sum(each.startswith("Success") for each in said) / len(said)


def records(zone: str, name: str, record_type: str = "A") -> Dict[str, Dict[str, Any]]:
    """The records of ``name`` in a hosted zone (id or name), by set identifier ("" if it has none): each with its
    weight, values, alias and health check. NotMeasured when there are none."""
    with _route53() as clients:
        found = find_records(clients, zone, name, record_type)
    return {each.get("SetIdentifier", ""): fields_of(each) for each in found.sets}


@contextmanager
def _route53() -> Iterator[Clients]:
    from botocore.exceptions import BotoCoreError

    clients = Clients(threads=1, attempts=3, read_only=True)
    try:
        yield clients
    except Refused as error:
        raise NotMeasured("what Route 53 holds", error.reason) from error
    except BotoCoreError as error:
        raise ServiceUnreachable("ask Route 53", "its API", f"did not answer: {error}") from error
    finally:
        clients.close()


def _servers(resolvers: str) -> List[str]:
    given = [each.strip() for each in resolvers.split(",") if each.strip()]
    return given or [settings.current(os.environ).service.dns]


def _name(name: str) -> str:
    return name or settings.current(os.environ).service.host


def _asked(server: str, name: str, subnet: str, record_type: str) -> dns.resolver.Answer | None:
    """None if there is no such name, or nothing of this type."""
    stub = dns.resolver.Resolver(configure=not server)
    stub.cache = None
    if server:
        ip, stub.port = server_address(server)
        stub.nameservers = [ip]
    stub.timeout = QUERY_SECONDS
    if subnet:
        stub.use_edns(0, 0, 1232, [_subnet(subnet)])
    try:
        return stub.resolve(_name(name), record_type, lifetime=LIFETIME_SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    except (dns.exception.DNSException, OSError) as error:
        where = f"DNS server {server or 'of the system'}"
        raise ServiceUnreachable(f"resolve {_name(name)}", where, str(error) or type(error).__name__) from error


def _subnet(subnet: str) -> dns.edns.ECSOption:
    address, _, length = subnet.partition("/")
    try:
        return dns.edns.ECSOption(address, int(length) if length else None)
    except ValueError as error:
        raise ConfigInvalid("the probe", "subnet", f'"{subnet}" is no network') from error
