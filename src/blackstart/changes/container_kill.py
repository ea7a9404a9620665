"""Killing one container of a pod from inside, by a command that is run in it. What heals is its kubelet.

The kernel keeps a signal from process 1 of a container that it has no handler for, SIGKILL included, if it is sent from
inside: so what is sent is SIGTERM, and what ignores that needs a command of its own.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from blackstart.access import Need, in_namespace
from blackstart.changes.budgets import Budget, within
from blackstart.changes.clients import Clients
from blackstart.changes.healed import Healed
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import Change, Json, new_id
from blackstart.changes.pods import Chosen, Pod, Pods, find_pods, is_live, listing
from blackstart.errors import Refused
from blackstart.kube.client import Kube, KubeRefused

COMMAND = ("kill", "-TERM", "1")
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
CALLS = ("kubernetes:create pods/exec", "kubernetes:get pods/exec")
"""A WebSocket is opened by GET; newer servers ask for the right to create, too."""
DIED_WITH_IT = (0, 137, 143)
"""Exit codes of a command that did its work, or was killed with its container before it could say so."""
FORBIDDEN, GONE = 403, 404
FEW = 5
LONGEST_OUTPUT = 200


class Container(NamedTuple):
    """A running container, as found. ``restarts``: how often it has been started again. ``policy``: of its pod."""

    name: str
    id: str
    restarts: int
    policy: str


@dataclass(frozen=True)
class Containers:
    """The pods that match, and the running container that is meant of each that has it, by the pod's uid."""

    found: Pods
    running: Mapping[str, Container]

    @property
    def pods(self) -> list[Pod]:
        """Those that have it."""
        return [pod for pod in self.found.pods if pod.uid in self.running]


def find_containers(
    clients: Clients, context: str, namespace: str, selector: str = "", container: str = ""
) -> Containers:
    """The running containers called ``container`` of the pods that match. Read-only.

    "": the one that the pod's annotation names as its default, or its only one; Refused if there is neither.
    """
    running: dict[str, Container] = {}

    def noticed(item: Json) -> None:
        found = _running(item, container or _default(item))
        if found:
            running[item["metadata"]["uid"]] = found

    return Containers(find_pods(clients, context, namespace, selector, noticed=noticed), running)


def _default(item: Json) -> str:
    named = (item["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    names = [each["name"] for each in item["spec"]["containers"]]
    if not named and len(names) > 1:
        pod = f"pod {item['metadata']['namespace']}/{item['metadata']['name']}"
        raise Refused(f"killing a container of {pod}", f"it has {', '.join(names)}; say which one is meant")
    return str(named or names[0])


def _running(item: Json, name: str) -> Container | None:
    status = _status(item, name)
    if status is None or "running" not in (status.get("state") or {}):
        return None
    policy = item["spec"].get("restartPolicy", "Always")
    return Container(name, status.get("containerID", ""), status.get("restartCount", 0), policy)


def _status(item: Json, name: str) -> Any | None:
    statuses = (item.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in statuses if each["name"] == name), None)


def plan_kills(
    containers: Containers,
    pods: Sequence[Pod],
    command: Sequence[str] = COMMAND,
    budgets: Sequence[Budget] = (),
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """The container of each of ``pods`` killed by ``command``, which is run in it. Pure.

    Those beyond what ``budgets`` let go are marked. Refused if its kubelet would not start one of them again.
    """
    return [_kill(containers, each, tuple(command), new_change()) for each in within(budgets, pods)]


def _kill(containers: Containers, chosen: Chosen, command: tuple[str, ...], change_id: str) -> Change:
    pod, found = chosen.pod, containers.found
    container = containers.running[pod.uid]
    if container.policy != "Always":
        reason = f"the restart policy of its pod is {container.policy}, so nothing would start it again"
        raise Refused(f"killing container {container.name} of {pod}", reason)
    return Change(
        id=change_id,
        kind=ContainerKill.name,
        target=found.target(pod),
        before={
            "context": found.context,
            "uid": pod.uid,
            "selector": found.selector,
            "owned": pod.owner is not None,
            "container": container.name,
            "container_id": container.id,
            "restarts": container.restarts,
        },
        after={"killed": True, "command": list(command)},
        summary=f"{pod}" + (f" ({pod.zone})" if pod.zone else "") + f": container {container.name} killed",
        undo_summary="its kubelet, which starts the container again",
        calls=CALLS,
        share=found.share(pod, chosen.member),
        past_budget=chosen.past_budget,
    )


class ContainerKill(Healed):
    """One container is killed from inside; its kubelet starts it again."""

    name: ClassVar[str] = "kubernetes.container_kill"
    at_once: ClassVar[int] = 64
    permissions: ClassVar[tuple[str, ...]] = (*CALLS, "kubernetes:list pods")

    def needs(self, change: Change) -> Sequence[Need]:
        return in_namespace(self.permissions, change.target.cluster, change.target.namespace)

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for change in changes:
            kube = clients.kube(change.before["context"])
            seen = _seen([change], kube).get(change.before["uid"])
            # What is gone or has been started again since needs no killing, and one that vanished stops no others.
            if seen is not None and not _is_another(change, seen):
                _execute(change, kube)

    def look(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        groups: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
        for change in changes:
            groups[change.before["context"], change.target.namespace, change.before["selector"]].append(change)
        outcomes: dict[str, Outcome] = {}
        for (context, _, _), same in groups.items():
            seen = _seen(same, clients.kube(context))
            outcomes |= {change.id: _outcome(change, seen.get(change.before["uid"])) for change in same}
        return outcomes


def _seen(changes: Sequence[Change], kube: Kube) -> Mapping[str, Json]:
    """The live pods of ``changes``, which are of one namespace and selector, by uid; if they are many, by one list."""
    first = changes[0]
    queries: Iterable[dict[str, str]] = [{"fieldSelector": f"metadata.name={each.target.id}"} for each in changes]
    if len(changes) > FEW:
        queries = [{"labelSelector": first.before["selector"]} if first.before["selector"] else {}]
    uids = {change.before["uid"] for change in changes}
    found = (pod for query in queries for pod in kube.items(listing(first.target.namespace), **query))
    return {pod["metadata"]["uid"]: pod for pod in found if is_live(pod) and pod["metadata"]["uid"] in uids}


def _is_another(change: Change, pod: Json) -> bool:
    """Whether the container is no longer the one that was found, or is not running at all."""
    before = change.before
    now = _running(pod, before["container"])
    return now is None or (now.id, now.restarts) != (before["container_id"], before["restarts"])


def _outcome(change: Change, pod: Json | None) -> Outcome:
    container = change.before["container"]
    if pod is None:
        if change.before["owned"]:
            return Outcome(Ending.RESTORED, "its pod is gone, and has a controller that replaces it")
        return Outcome(Ending.CONFLICT, f"{change.target} no longer exists, and nothing brings it back")
    if not _is_another(change, pod):
        return Outcome(Ending.UNTOUCHED)
    status = _status(pod, container) or {}
    if _running(pod, container) and status.get("ready"):
        return Outcome(Ending.RESTORED)
    return Outcome(Ending.WAITING, f"container {container} of {change.target} is not ready again")


def _execute(change: Change, kube: Kube) -> None:
    target, container, command = change.target, change.before["container"], change.after["command"]
    doing = f"killing container {container} of pod {target.namespace}/{target.id}"
    try:
        done = kube.execute(target.namespace, target.id, container, command)
    except KubeRefused as error:
        if error.status == GONE:
            return
        if error.status != FORBIDDEN:
            raise
        raise Refused(doing, f"commands may not be run in it ({error.problem})") from error
    if done.code not in DIED_WITH_IT:
        said = " ".join(done.output.split())[:LONGEST_OUTPUT] or "it said nothing"
        raise Refused(doing, f"`{shlex.join(command)}` ended with {done.code} ({said})")
