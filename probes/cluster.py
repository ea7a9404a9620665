"""The Kubernetes API server itself. ``context`` is a context of the kubeconfig, "" the current one."""

from blackstart.clock import SystemClock
from blackstart.errors import ConfigInvalid, ServiceUnreachable
from blackstart.kube.reading import Kube
from blackstart.probes import _cluster

__all__ = ["api_server_reachable", "api_server_seconds"]

VERSION = "/version"  # every authenticated user may read it, and by default everybody


def api_server_reachable(context: str = "", timeout_seconds: float = 2.0) -> bool:
    """Whether the API server answers within ``timeout_seconds``."""
    return api_server_seconds(context, timeout_seconds) is not None


def api_server_seconds(context: str = "", timeout_seconds: float = 2.0) -> float | None:
    """How long the API server takes to answer, with the connection, in seconds; None if it does not in time."""
    if timeout_seconds <= 0:
        raise ConfigInvalid("api_server_seconds", "timeout_seconds", f"{timeout_seconds:g} is not above 0")
    clock = SystemClock()

    async def look(kube: Kube) -> float | None:
        began = clock.monotonic()
        try:
            await kube.get(VERSION)
        except ServiceUnreachable:
            return None
        return clock.monotonic() - began

    return _cluster.ask(context, look, timeout_seconds)
