"""Questions about identity and permission. Everybody is the administrator of the lab, and may do everything."""

from __future__ import annotations

from blackstart.lab.kube.discovery import REVIEWS
from blackstart.lab.kube.objects import Object
from blackstart.lab.kube.status import bad_request

_USER = {"username": "lab-admin", "groups": ["system:masters", "system:authenticated"]}


def kind(path: str) -> str:
    """The kind of review that ``path`` takes; "" if it takes none."""
    parts = path.strip("/").split("/")
    if len(parts) != 4 or parts[0] != "apis" or parts[2] != "v1":
        return ""
    return dict(REVIEWS.get(parts[1], ())).get(parts[3], "")


def answer(path: str, kind_of: str, body: object) -> Object:
    """The answered review ``body``; what it asks does not matter. ApiError 400 if it asks nothing."""
    group = path.strip("/").split("/")[1]
    spec = (body.get("spec") or {}) if isinstance(body, dict) else {}
    if "Access" in kind_of and len({"resourceAttributes", "nonResourceAttributes"} & set(spec)) != 1:
        raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    return {"apiVersion": f"{group}/v1", "kind": kind_of, "metadata": {}, "spec": spec, "status": _STATUS[kind_of]}


_STATUS = {
    "TokenReview": {"authenticated": True, "user": _USER},
    "SelfSubjectReview": {"userInfo": _USER},
    "SelfSubjectAccessReview": {"allowed": True},
    "SubjectAccessReview": {"allowed": True},
    "SelfSubjectRulesReview": {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    },
}
