"""HorizontalPodAutoscaler: as many pods as the CPU that they use asks for.

Known: utilisation of CPU requests, on whatever has a number of replicas. Every round and the shortest memory are a
tenth of what Kubernetes takes by default, 15 s and 300 s. Not known: other metrics, and policies that limit a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from blackstart.clock import Clock
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.controllers.queue import WorkQueue
from blackstart.lab.kube.controllers.scaling import PodLoad, Recommendation, recommend
from blackstart.lab.kube.metrics import METRICS
from blackstart.lab.kube.objects import (
    Object,
    condition,
    is_active,
    is_ready,
    key_of,
    labels_of,
    parse_timestamp,
    with_condition,
)
from blackstart.lab.kube.quantities import parse, requested
from blackstart.lab.kube.resources import Resource
from blackstart.lab.kube.selectors import label_selector
from blackstart.lab.kube.store import Event, Key

SYNC_SECONDS = 1.5
STABILIZATION_SECONDS = 30.0
_SCALERS = "horizontalpodautoscalers.autoscaling"
_NAME = "horizontal-pod-autoscaler"
_WHO = "the HPA controller"
_DEFAULT_TARGET = 80


@dataclass(frozen=True)
class _Wish:
    """``desired`` pods and why; ``conditions`` are (type, status, reason, message)."""

    desired: int
    why: str
    conditions: tuple[tuple[str, str, str, str], ...] = ()
    seen: Recommendation | None = None


class Autoscaler:
    """Sets the replicas of what the autoscalers point at."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._resource = cluster.registry.named("horizontalpodautoscalers", "autoscaling")
        self._queue = WorkQueue(clock.monotonic)
        self._wished: dict[Key, list[tuple[float, int]]] = {}

    def observe(self, event: Event) -> None:
        if event.resource == _SCALERS and event.type != "DELETED":
            generation = event.record.object["metadata"]["generation"]
            if event.previous is None or event.previous.object["metadata"]["generation"] != generation:
                self._queue.add(event.key)

    def step(self) -> float | None:
        return self._queue.work(self._sync)

    def _sync(self, key: Key) -> float | None:
        record = self._cluster.store.get(_SCALERS, key)
        if record is None:
            self._wished.pop(key, None)
            return None
        scaler = record.object
        resource, target = self._target(scaler)
        if resource is None or target is None:
            reference = scaler["spec"]["scaleTargetRef"]
            message = f'{_WHO} was unable to get the target\'s current scale: "{reference["name"]}" not found'
            self._report(scaler, 0, _Wish(0, "", (("AbleToScale", "False", "FailedGetScale", message),)))
            return SYNC_SECONDS
        wish = self._wish(scaler, target)
        current = int(target["spec"].get("replicas", 1))
        if wish.desired != current:
            self._cluster.change(resource, key_of(target), lambda obj: obj["spec"].update(replicas=wish.desired))
            message = f"New size: {wish.desired}; reason: {wish.why}"
            self._cluster.event(scaler, "Normal", "SuccessfulRescale", message, _NAME)
        self._report(scaler, current, wish)
        return SYNC_SECONDS

    def _target(self, scaler: Object) -> tuple[Resource | None, Object | None]:
        reference = scaler["spec"]["scaleTargetRef"]
        resource = self._cluster.registry.of_kind(reference.get("apiVersion", ""), reference["kind"])
        if resource is None or "scale" not in resource.subresources:
            return None, None
        key = Key(scaler["metadata"]["namespace"], reference["name"])
        record = self._cluster.store.get(resource.store_key, key)
        return resource, record.object if record else None

    def _wish(self, scaler: Object, target: Object) -> _Wish:
        current = int(target["spec"].get("replicas", 1))
        least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
        able = ("AbleToScale", "True", "SucceededGetScale", f"{_WHO} was able to get the target's current scale")
        if current == 0 and least != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            return _Wish(0, "", (able, ("ScalingActive", "False", "ScalingDisabled", message)))
        if current > most:
            return _Wish(most, "Current number of replicas above Spec.MaxReplicas", (_rescaled(most),))
        if current < least:
            return _Wish(least, "Current number of replicas below Spec.MinReplicas", (_rescaled(least),))
        return self._measured(scaler, target, current, able)

    def _measured(self, scaler: Object, target: Object, current: int, able: tuple[str, str, str, str]) -> _Wish:
        try:
            seen = recommend(current, _percentage(scaler), self._loads(target))
            problem = "did not receive metrics for targeted pods (pods might be unready)"
        except ValueError as error:
            seen, problem = None, str(error)
        if seen is None:
            message = "the HPA was unable to compute the replica count: failed to get cpu utilization: " + problem
            failed = ("ScalingActive", "False", "FailedGetResourceMetric", message)
            if condition(scaler, "ScalingActive").get("message") != message:
                self._cluster.event(scaler, "Warning", "FailedGetResourceMetric", problem, _NAME)
            return _Wish(current, "", (able, failed))
        words = "the HPA was able to successfully calculate a replica count from cpu resource utilization"
        active = ("ScalingActive", "True", "ValidMetricFound", f"{words} (percentage of request)")
        steady = self._stabilized(scaler, current, seen.replicas)
        least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
        desired = min(max(steady, least), most)
        if desired != current:
            able = _rescaled(desired)
        elif steady > seen.replicas:
            message = "recent recommendations were higher than current one, applying the highest recent recommendation"
            able = ("AbleToScale", "True", "ScaleDownStabilized", message)
        else:
            able = ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size")
        why = "cpu resource utilization (percentage of request) above target"
        if desired < current:
            why = "All metrics below target"
        return _Wish(desired, why, (able, active, _limited(steady, least, most)), seen)

    def _loads(self, target: Object) -> list[PodLoad]:
        """The pods that count; ValueError if one of them requests no CPU."""
        namespace, wanted = target["metadata"]["namespace"], label_selector(target["spec"]["selector"])
        found = []
        for record in self._cluster.store.records("pods.", namespace):
            pod = record.object
            if not is_active(pod) or not wanted(labels_of(pod)):
                continue
            cores = requested(pod["spec"]).cpu
            if not cores:
                raise ValueError(f"missing request for cpu in a container of Pod {pod['metadata']['name']}")
            metric = self._cluster.store.get(METRICS, key_of(pod))
            used = sum(parse(told["usage"]["cpu"]) for told in metric.object["containers"]) if metric else None
            ready = pod["status"].get("phase") == "Running" and is_ready(pod)
            starting = ready and metric is not None and _from_its_start(metric.object, pod)
            found.append(PodLoad(cores, used, ready and not starting))
        return found

    def _stabilized(self, scaler: Object, current: int, wanted: int) -> int:
        """The most that was asked for lately, but no more than there is unless it is asked for now."""
        behavior = (scaler["spec"].get("behavior") or {}).get("scaleDown") or {}
        window = behavior.get("stabilizationWindowSeconds", STABILIZATION_SECONDS)
        now = self._clock.monotonic()
        held = self._wished.setdefault(key_of(scaler), [(now, current)])
        held[:] = [*((when, count) for when, count in held if now - when < window), (now, wanted)]
        return max(wanted, min(current, max(count for _, count in held)))

    def _report(self, scaler: Object, current: int, wish: _Wish) -> None:
        now = self._cluster.timestamp()

        def edit(obj: Object) -> None:
            status: Object = dict(obj.get("status") or {})
            conditions = status.get("conditions")
            for kind, state, reason, message in wish.conditions:
                new = {"type": kind, "status": state, "reason": reason, "message": message}
                conditions = with_condition(conditions, new, now)
            status |= {"currentReplicas": current, "desiredReplicas": wish.desired, "conditions": conditions}
            status["observedGeneration"] = obj["metadata"]["generation"]
            if wish.seen:
                status["currentMetrics"] = [_metric(wish.seen)]
            if wish.desired != current:
                status["lastScaleTime"] = now
            obj["status"] = status

        self._cluster.change(self._resource, key_of(scaler), edit, "status")


def _from_its_start(metric: Object, pod: Object) -> bool:
    """Whether ``metric`` is also of the time before ``pod`` was ready, when starting is what it was busy with."""
    since = condition(pod, "Ready").get("lastTransitionTime")
    began = parse_timestamp(metric["timestamp"]) - timedelta(seconds=parse(metric["window"].removesuffix("s")))
    return since is not None and began < parse_timestamp(since)


def _rescaled(desired: int) -> tuple[str, str, str, str]:
    message = f"{_WHO} was able to update the target scale to {desired}"
    return "AbleToScale", "True", "SucceededRescale", message


def _limited(wanted: int, least: int, most: int) -> tuple[str, str, str, str]:
    if wanted > most:
        message = "the desired replica count is more than the maximum replica count"
        return "ScalingLimited", "True", "TooManyReplicas", message
    if wanted < least:
        message = "the desired replica count is less than the minimum replica count"
        return "ScalingLimited", "True", "TooFewReplicas", message
    return "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"


def _percentage(scaler: Object) -> int:
    """The target in percent of the CPU request; ValueError if the autoscaler goes by something else."""
    metrics: list[dict[str, Any]] = scaler["spec"].get("metrics") or []
    if not metrics:
        return _DEFAULT_TARGET
    resource = metrics[0].get("resource") or {}
    percent = (resource.get("target") or {}).get("averageUtilization")
    if len(metrics) > 1 or resource.get("name") != "cpu" or not percent:
        raise ValueError("only the utilization of cpu is measured here")
    return int(percent)


def _metric(seen: Recommendation) -> Object:
    current = {"averageUtilization": seen.utilization, "averageValue": f"{round(seen.average * 1000)}m"}
    return {"type": "Resource", "resource": {"name": "cpu", "current": current}}
