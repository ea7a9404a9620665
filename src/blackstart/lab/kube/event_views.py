"""Events in the shape of events.k8s.io/v1: other names for what core/v1 Events hold. Pure.

Both groups serve the same objects, which are stored as core/v1 ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.lab.kube.objects import Object

GROUP = "events.k8s.io"
API_VERSION = f"{GROUP}/v1"

# core/v1 name -> events.k8s.io/v1 name; what is not listed is called the same
_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_CORE_NAMES = {view: core for core, view in _NAMES.items()}


def view(event: Mapping[str, object]) -> Object:
    """A core/v1 Event as events.k8s.io/v1 shows it."""
    return {_NAMES.get(name, name): value for name, value in event.items()} | {"apiVersion": API_VERSION}


def core(event: Mapping[str, object]) -> Object:
    """An events.k8s.io/v1 Event as core/v1 stores it."""
    return {_CORE_NAMES.get(name, name): value for name, value in event.items()} | {"apiVersion": "v1"}


def core_fields(selector: str) -> str:
    """A field selector on the view, as one on core/v1."""
    return selector.replace("regarding.", "involvedObject.").replace("reportingController", "reportingComponent")
