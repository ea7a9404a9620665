"""What the fail-over automation is told, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AutomationSpec:
    """Where it listens, what it watches and what it makes of the standby region. Times in seconds.

    ``health_url`` is the home region's, all other URLs are the standby region's. A check fails when it is not answered
    with 200 within ``check_timeout_seconds``; allow for the way between the regions. ``release_seconds`` is for how
    long capacity stays when the writer is home again. ``node_groups`` are the least sizes after a fail-over,
    ``replicas`` those of the deployment, ``products`` what the cache is warmed with.
    """

    host: str
    port: int
    home_region: str
    standby_region: str
    aws_url: str
    kube_url: str
    health_url: str
    gateway_url: str
    check_interval_seconds: float = 0.5
    check_timeout_seconds: float = 0.5
    failures_to_decide: int = 4
    decide_seconds: float = 1.0
    release_seconds: float = 10.0
    namespace: str = "shop"
    deployment: str = "orders"
    replicas: int = 6
    cluster: str = "shop-us-west-2"
    node_groups: tuple[tuple[str, int], ...] = (("on-demand", 3), ("spot", 2))
    global_cluster: str = "shop"
    cache_global_id: str = "ldgnf-shop"
    products: int = 500

    @property
    def deployment_path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.deployment}"

    @property
    def mode_path(self) -> str:
        """The ConfigMap whose key ``mode`` says whether it may decide by itself."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps/failover"


@dataclass
class State:
    """What the automation is doing. ``steps`` maps a step to "running", "done" or its last problem."""

    state: str = "watching"
    failures: int = 0
    problem: str = ""
    steps: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {"state": self.state, "failures": self.failures, "problem": self.problem, "steps": self.steps}
