"""What a kubelet tells the API of one pod. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blackstart.lab.manifests import PORT_ANNOTATION, Object
from blackstart.lab.parts import Address


@dataclass(frozen=True)
class Container:
    """One life of a container: ``number`` counts from 0, ``started`` is ISO 8601."""

    uid: str
    number: int
    started: str

    @property
    def id(self) -> str:
        """As container runtimes call it; another one after each restart."""
        return f"containerd://{_digest(f'{self.uid}/{self.number}')}"


@dataclass(frozen=True)
class Ended:
    """A container that has ended. ``code`` is its exit code, or minus the signal that ended it."""

    container: Container
    code: int
    finished: str

    def state(self) -> Object:
        """The ContainerState, with the exit code that a shell would give."""
        code = self.code if self.code >= 0 else 128 - self.code
        return {
            "terminated": {
                "exitCode": code,
                "reason": "Error" if code else "Completed",
                "startedAt": self.container.started,
                "finishedAt": self.finished,
                "containerID": self.container.id,
            }
        }


@dataclass(frozen=True)
class PodReport:
    """What a kubelet knows of one pod.

    ``started`` is of the pod, ``spec`` of its container, ``running`` the container that runs. ``waiting`` is why none
    does, ``ended`` the one before.
    """

    started: str
    address: Address
    spec: Mapping[str, Any] = field(default_factory=dict)
    ready: bool = False
    restarts: int = 0
    waiting: str = ""
    running: Container | None = None
    ended: Ended | None = None

    def patch(self, uid: str, now: str) -> Object:
        """A merge patch of the pod's status; ``uid`` keeps it from reaching a successor of the same name."""
        began = self.running is not None or self.ended is not None
        conditions = [
            {"type": kind, "status": str(value), "lastTransitionTime": now}
            for kind, value in (
                ("PodScheduled", True),
                ("Initialized", True),
                ("ContainersReady", self.ready),
                ("Ready", self.ready),
            )
        ]
        return {
            "metadata": {"uid": uid, "annotations": {PORT_ANNOTATION: str(self.address[1])}},
            "status": {
                "phase": "Running" if began else "Pending",
                "podIP": self.address[0],
                "podIPs": [{"ip": self.address[0]}],
                "hostIP": self.address[0],
                "startTime": self.started,
                "conditions": conditions,
                "containerStatuses": [self._container()],
            },
        }

    def _container(self) -> Object:
        image = str(self.spec.get("image", ""))
        last = self.running or (self.ended.container if self.ended else None)
        state = {"running": {"startedAt": self.running.started}} if self.running else None
        return {
            "name": self.spec.get("name", ""),
            "image": image,
            "imageID": f"{image}@sha256:{_digest(image)}" if last else "",
            "containerID": last.id if last else None,
            "ready": self.ready,
            "started": self.running is not None,
            "restartCount": self.restarts,
            "state": state or {"waiting": {"reason": self.waiting}},
            "lastState": self.ended.state() if self.ended else {},
        }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
