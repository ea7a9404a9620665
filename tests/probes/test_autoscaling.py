import pytest

from blackstart.errors import NotMeasured
from blackstart.probes import autoscaling

GROUP = "/apis/autoscaling/v2"


def says(kind, status, reason=""):
    return {"type": kind, "status": status, "reason": reason, "message": f"because of {reason}"}


ACTIVE = says("ScalingActive", "True")
FREE, AT_MOST, AT_LEAST = (
    says("ScalingLimited", *each)
    for each in (("False", "DesiredWithinRange"), ("True", "TooManyReplicas"), ("True", "TooFewReplicas"))
)


def told(current, *conditions):
    """Whether an autoscaler of at most 4 that says this is at its ceiling."""
    status = {"currentReplicas": current, "conditions": list(conditions)}
    return autoscaling._at_ceiling({"metadata": {"name": "orders"}, "spec": {"maxReplicas": 4}, "status": status})


@pytest.mark.parametrize(
    ("current", "limited", "holds"), [(4, AT_MOST, True), (4, FREE, False), (3, AT_MOST, False), (4, AT_LEAST, False)]
)
def test_an_autoscaler_at_its_ceiling_has_all_and_wants_more(current, limited, holds):
    assert told(current, ACTIVE, limited) is holds


@pytest.mark.parametrize(
    "conditions", [[], [ACTIVE], [FREE], [says("ScalingActive", "False", "FailedGetResourceMetric"), AT_MOST]]
)
def test_an_autoscaler_that_does_not_scale_or_does_not_say_is_not_measured(conditions):
    with pytest.raises(NotMeasured):
        told(4, *conditions)


def test_an_autoscaler_is_read_from_the_api(shop):
    target = {"kind": "Deployment", "name": "none", "apiVersion": "apps/v1"}
    body = {"metadata": {"name": "orders"}, "spec": {"scaleTargetRef": target, "maxReplicas": 4}}
    shop.kube.post(shop.at("horizontalpodautoscalers", group=GROUP), body)
    with pytest.raises(NotMeasured, match="autoscaler orders"):
        autoscaling.autoscaler_at_ceiling(shop.name, "orders")
