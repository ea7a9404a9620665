"""Which proxy leads to an API server: what the kubeconfig says, or else the environment, read as kubectl reads it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from blackstart.errors import ConfigInvalid

NOWHERE = "localhost"


def from_environment(server: str, environ: Mapping[str, str]) -> str:
    """The URL of the proxy for ``server``, "" for none. ConfigInvalid if it is one that cannot be used here."""
    name = f"{urlsplit(server).scheme}_proxy"
    name = next((each for each in (name.upper(), name) if environ.get(each)), "")
    if not name or _direct(server, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return ""
    proxy = environ[name] if "://" in environ[name] else f"http://{environ[name]}"
    if not proxy.startswith("http://"):
        raise ConfigInvalid("the environment", name, "has to begin with http:// here")
    return proxy


def _direct(server: str, exceptions: str) -> bool:
    """Whether ``server`` is this machine, or one that NO_PROXY names: a host, a domain, an address or a network."""
    place = urlsplit(server)
    host = (place.hostname or "").lower()
    port = place.port or (443 if place.scheme == "https" else 80)
    if host == NOWHERE or _within(host, "127.0.0.0/8") or _within(host, "::1"):
        return True
    for each in (part.strip().lower() for part in exceptions.split(",")):
        domain = each.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
        if each == "*" or (domain and (host == domain or host.endswith(f".{domain}") or _within(host, domain))):
            return True
    return False


def _within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
