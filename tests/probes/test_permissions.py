"""Each probe as a user who may do what the probe declares, and less."""

import contextlib
import inspect

import kube_server
import pytest

from blackstart.access import in_namespace
from blackstart.errors import NotMeasured, ServiceUnreachable
from blackstart.probes import autoscaling, cluster, nodes, pods, spread, workloads
from blackstart.reports.policies import ROLE, kubernetes_manifests

MODULES = (autoscaling, nodes, pods, spread, workloads)
PROBES = {name: (module, getattr(module, name)) for module in MODULES for name in module.__all__}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EITHER = "kubernetes:get statefulsets"  # of workloads of the other kind
BY_ZONE = {
    "topologyKey": "topology.kubernetes.io/zone",
    "maxSkew": 1,
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "orders"}},
}


@pytest.fixture
def furnished(shop):
    """What each probe needs to say something."""
    shop.node("n1", "a", labels={"karpenter.sh/capacity-type": "spot"})
    shop.deployment(replicas=1, spread=[BY_ZONE])
    shop.pod("p1", "n1")
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "orders"}}}
    shop.kube.post(
        shop.at("poddisruptionbudgets", group="/apis/policy/v1"), {"metadata": {"name": "orders"}, "spec": budget}
    )
    path = shop.at("horizontalpodautoscalers", group="/apis/autoscaling/v2")
    target = {"kind": "Deployment", "name": "orders", "apiVersion": "apps/v1"}
    shop.kube.post(path, {"metadata": {"name": "orders"}, "spec": {"scaleTargetRef": target, "maxReplicas": 4}})
    return shop


@pytest.fixture
def allowed(api, furnished, tmp_path, monkeypatch):
    """Makes us a user who may do no more than some permissions say."""
    environ, kube, _ = api
    made = []

    def allow(permissions):
        manifests = kubernetes_manifests(in_namespace(permissions, "shop", furnished.name))
        for each in manifests.get("shop", ()):
            namespace = each["metadata"].get("namespace")
            place = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
            kube.post(f"{place}/{each['kind'].lower()}s", each)
            made.append(f"{place}/{each['kind'].lower()}s/{each['metadata']['name']}")
        monkeypatch.setenv("KUBECONFIG", kube_server.as_member(environ, tmp_path, ROLE)["KUBECONFIG"])

    yield allow
    for path in made:
        kube.delete(path)


@pytest.fixture
def ask(furnished, drilled):
    """Calls a probe with what it takes."""
    given = dict.fromkeys(("autoscaler", "budget", "deployment"), "orders") | {
        "namespace": furnished.name,
        "workload": "Deployment/orders",
        "wanted": 1,
        "limit_seconds": 5.0,
        "configuration": drilled(),
    }

    def asked(probe):
        return probe(**{name: given[name] for name in inspect.signature(probe).parameters if name in given})

    return asked


def test_every_probe_of_a_cluster_says_what_it_needs():
    assert cluster.__all__
    for module in MODULES:
        assert set(module.PERMISSIONS) == set(module.__all__)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_needs_no_more_than_it_declares(name, allowed, ask):
    module, probe = PROBES[name]
    allowed(module.PERMISSIONS[name])
    unscaled = (NotMeasured,) if name == "autoscaler_at_ceiling" else ()  # it is read, but it does not scale
    with contextlib.suppress(*unscaled):
        ask(probe)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        (name, missing)
        for name, (module, _) in PROBES.items()
        for missing in module.PERMISSIONS[name]
        if missing != EITHER
    ],
)
def test_without_one_of_its_permissions_a_probe_gives_no_number(name, missing, allowed, ask):
    module, probe = PROBES[name]
    allowed([each for each in module.PERMISSIONS[name] if each != missing])
    with pytest.raises((ServiceUnreachable, NotMeasured)):
        ask(probe)
