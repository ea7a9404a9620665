"""What a drill may touch at all. Pure: a scope, and the question whether it permits a target.

Outside the lab nothing is allowed without a scope; a question that the scope cannot answer is answered "no".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Target:
    """One resource that a fault is aimed at.

    ``kind`` is a noun ("subnet", "pod", "health check"); empty strings mean "does not apply".
    """

    kind: str
    id: str
    account: str = ""
    region: str = ""
    zone: str = ""
    cluster: str = ""
    namespace: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Scope(BaseModel):
    """The ``[scope]`` table of ``blackstart.toml``. Empty lists permit nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str = Field(description="name shown in reports: lab, staging, production …")
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    required_tag: str = Field(default="", description="a tag or label key that every target must carry")
    whole_region: bool = Field(default=False, description="may all zones of a region be lost at once")
    largest_share: float = Field(default=0.5, gt=0, le=1, description="of the pods of one selection")


def objection(scope: Scope, target: Target) -> str | None:
    """Why ``scope`` does not permit ``target``, as the end of a sentence; None if it does."""
    checks = (
        ("account", target.account, scope.accounts),
        ("region", target.region, scope.regions),
        ("cluster", target.cluster, scope.clusters),
        ("namespace", target.namespace, scope.namespaces),
    )
    for name, value, allowed in checks:
        if value and value not in allowed:
            return f"{target} is in {name} {value}, which is outside the scope ({', '.join(allowed) or 'none'})"
    if not any(value for _, value, _ in checks):
        return f"{target} names no account, region or cluster, so the scope cannot tell whether it is inside"
    if scope.required_tag and scope.required_tag not in target.tags:
        return f"{target} does not carry {scope.required_tag}, so it has not opted in"
    return None
