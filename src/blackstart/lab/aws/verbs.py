"""Verbs that the router answers itself, because the truth is in another part of the lab than the emulators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree

import aiohttp

from blackstart.errors import ServiceUnreachable
from blackstart.lab.aws import proxy

HEALTH_CHECK_STATUS = ("route53", "GetHealthCheckStatus")

_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_CHECKER_REGION = "us-east-1"
_DNS_TIMEOUT = aiohttp.ClientTimeout(total=1.0)


async def health_check_status(
    client: aiohttp.ClientSession, dns_admin_url: str, path: str, known: proxy.Answer
) -> proxy.Answer:
    """What the lab's checkers see; ``known`` is the emulator's answer, which says whether the health check exists.

    ``path`` is the one that was called: ``/2013-04-01/healthcheck/ID/status``. Raises ServiceUnreachable.
    """
    if known.status != HTTPStatus.OK:
        return known
    check = path.rstrip("/").split("/")[-2]
    try:
        async with client.get(f"{dns_admin_url}/health", timeout=_DNS_TIMEOUT) as response:
            observed: Mapping[str, Any] = (await response.json()).get(check, {})
    except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
        raise ServiceUnreachable("ask the health checkers", dns_admin_url, f"did not answer ({error!r})") from error
    return proxy.Whole(200, {"Content-Type": "text/xml"}, status_document(observed))


def status_document(observed: Mapping[str, Any]) -> bytes:
    """The answer of GetHealthCheckStatus: one checker, or none while ``observed`` is empty (not checked yet). Pure."""
    root = ElementTree.Element("GetHealthCheckStatusResponse", xmlns=_NAMESPACE)
    observations = ElementTree.SubElement(root, "HealthCheckObservations")
    if observed:
        one = ElementTree.SubElement(observations, "HealthCheckObservation")
        ElementTree.SubElement(one, "Region").text = _CHECKER_REGION
        report = ElementTree.SubElement(one, "StatusReport")
        verdict = "Success" if observed["healthy"] else "Failure"
        ElementTree.SubElement(report, "Status").text = f"{verdict}: {observed['reason']}"
        ElementTree.SubElement(report, "CheckedTime").text = observed["since"]
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
