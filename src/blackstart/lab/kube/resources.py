"""Which resources the API serves: the built-in ones, and those that CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
METRICS = "metrics.k8s.io"


@dataclass(frozen=True)
class Resource:
    """One resource in one version.

    ``subresources`` holds names such as "status" and "scale". ``columns`` are a custom resource's printer columns and
    ``scale_paths`` its (spec path, status path, selector path) for the scale subresource, as JSON paths.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    categories: tuple[str, ...] = ()
    custom: bool = False
    columns: tuple[dict[str, Any], ...] = field(default=(), compare=False)
    scale_paths: tuple[str, str, str] = ("spec.replicas", "status.replicas", "")
    singular: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done with its objects; what is measured can only be read."""
        return ("get", "list") if self.group == METRICS else ALL_VERBS

    @property
    def store_key(self) -> str:
        """Where its objects are kept: the same for all versions, and for both groups that serve events."""
        return f"{self.plural}." if self.group == "events.k8s.io" else f"{self.plural}.{self.group}"


# plural, kind, short names, subresources, categories; a leading * marks what lies outside namespaces
_CORE = """
*namespaces Namespace ns status,finalize -
*nodes Node no status -
*persistentvolumes PersistentVolume pv status -
pods Pod po status,eviction,binding,log,exec all
services Service svc status all
endpoints Endpoints ep - -
configmaps ConfigMap cm - -
secrets Secret - - -
serviceaccounts ServiceAccount sa token -
events Event ev - -
persistentvolumeclaims PersistentVolumeClaim pvc status -
replicationcontrollers ReplicationController rc status,scale all
limitranges LimitRange limits - -
resourcequotas ResourceQuota quota status -
podtemplates PodTemplate - - -
"""
_APPS = """
deployments Deployment deploy status,scale all
replicasets ReplicaSet rs status,scale all
statefulsets StatefulSet sts status,scale all
daemonsets DaemonSet ds status all
controllerrevisions ControllerRevision - - -
"""
_RBAC = """
roles Role - - -
rolebindings RoleBinding - - -
*clusterroles ClusterRole - - -
*clusterrolebindings ClusterRoleBinding - - -
"""
_NETWORKING = """
networkpolicies NetworkPolicy netpol - -
ingresses Ingress ing status -
*ingressclasses IngressClass - - -
"""
_STORAGE = """
*storageclasses StorageClass sc - -
*volumeattachments VolumeAttachment - status -
*csinodes CSINode - - -
*csidrivers CSIDriver - - -
"""
_ADMISSION = """
*mutatingwebhookconfigurations MutatingWebhookConfiguration - - -
*validatingwebhookconfigurations ValidatingWebhookConfiguration - - -
"""
_GROUPS = (
    ("", "v1", _CORE),
    ("apps", "v1", _APPS),
    ("batch", "v1", "jobs Job - status all\ncronjobs CronJob cj status all"),
    ("autoscaling", "v2", "horizontalpodautoscalers HorizontalPodAutoscaler hpa status all"),
    ("policy", "v1", "poddisruptionbudgets PodDisruptionBudget pdb status -"),
    ("coordination.k8s.io", "v1", "leases Lease - - -"),
    ("networking.k8s.io", "v1", _NETWORKING),
    ("events.k8s.io", "v1", "events Event ev - -"),
    ("discovery.k8s.io", "v1", "endpointslices EndpointSlice - - -"),
    ("scheduling.k8s.io", "v1", "*priorityclasses PriorityClass pc - -"),
    ("storage.k8s.io", "v1", _STORAGE),
    ("rbac.authorization.k8s.io", "v1", _RBAC),
    ("admissionregistration.k8s.io", "v1", _ADMISSION),
    (
        "apiextensions.k8s.io",
        "v1",
        "*customresourcedefinitions CustomResourceDefinition crd,crds status api-extensions",
    ),
    (METRICS, "v1beta1", "pods PodMetrics - - -"),
)


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def _parse(group: str, version: str, table: str) -> Iterator[Resource]:
    for line in table.strip().splitlines():
        plural, kind, short, subresources, categories = line.split()
        yield Resource(
            group=group,
            version=version,
            plural=plural.lstrip("*"),
            kind=kind,
            namespaced=not plural.startswith("*"),
            short_names=_words(short),
            subresources=frozenset(_words(subresources)),
            categories=_words(categories),
            singular=kind.lower(),
        )


def builtin() -> list[Resource]:
    """Every resource that needs no CustomResourceDefinition."""
    return [resource for group, version, table in _GROUPS for resource in _parse(group, version, table)]


class Registry:
    """The resources served right now, in the order they were added."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        self._served[resource.group, resource.version, resource.plural] = resource

    def discard(self, group: str, plural: str) -> None:
        """Serve no version of this resource any more."""
        for key in [key for key in self._served if key[0] == group and key[2] == plural]:
            del self._served[key]

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._served.get((group, version, plural))

    def named(self, plural: str, group: str = "") -> Resource:
        """The built-in resource ``plural``, in its one version; KeyError if it is not served."""
        return next(r for (g, _, p), r in self._served.items() if p == plural and g == group)

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource whose objects carry ``api_version`` (any version of its group) and ``kind``."""
        group = api_version.rpartition("/")[0]
        return next((r for r in self._served.values() if r.kind == kind and r.group == group), None)

    def groups(self) -> dict[str, list[str]]:
        """Versions by group; the core group is ""."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self._served:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return found

    def served(self, group: str, version: str) -> list[Resource]:
        return [r for (g, v, _), r in self._served.items() if g == group and v == version]

    def stored(self) -> list[Resource]:
        """One version of every resource, the one that was added first."""
        found: dict[str, Resource] = {}
        for resource in self._served.values():
            found.setdefault(resource.store_key, resource)
        return list(found.values())


def custom(definition: dict[str, Any]) -> list[Resource]:
    """The served versions of a CustomResourceDefinition; KeyError, TypeError if it is not a valid one."""
    spec = definition["spec"]
    names = spec["names"]
    found = []
    for version in spec["versions"]:
        if not version.get("served", True):
            continue
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale") or {}
        paths = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
        found.append(
            Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(names.get("shortNames") or ()),
                subresources=frozenset(subresources),
                categories=tuple(names.get("categories") or ()),
                custom=True,
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                scale_paths=tuple(scale.get(path, "").lstrip(".") for path in paths),
                singular=names.get("singular") or names["kind"].lower(),
            )
        )
    return found
