import pytest

from blackstart.probes import _selectors


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "holds", "text"),
    [
        ({"matchLabels": {"app": "orders"}}, True, "app=orders"),
        ({"matchLabels": {"app": "other"}}, False, "app=other"),
        (expression("app", "In", "orders", "x"), True, "app in (orders,x)"),
        (expression("app", "NotIn", "orders"), False, "app notin (orders)"),
        (expression("gone", "NotIn", "orders"), True, "gone notin (orders)"),
        (expression("app", "Exists"), True, "app"),
        (expression("app", "DoesNotExist"), False, "!app"),
        (expression("gone", "In", "x"), False, "gone in (x)"),
        ({}, True, ""),
    ],
)
def test_a_label_selector_matches_as_the_api_says(selector, holds, text):
    assert _selectors.matches(selector, {"app": "orders", "size": "3"}) is holds
    assert _selectors.text(selector) == text


def test_no_selector_matches_nothing():
    assert _selectors.matches(None, {"app": "orders"}) is False


def node(name="n1", taints=(), **labels):
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}}


def affinity(*terms):
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


@pytest.mark.parametrize(
    ("spec", "admitted"),
    [
        ({}, True),
        ({"nodeSelector": {"pool": "web"}}, True),
        ({"nodeSelector": {"pool": "db"}}, False),
        (affinity(expression("cores", "Gt", "4")), True),
        (affinity(expression("cores", "Lt", "4")), False),
        (affinity(expression("pool", "Gt", "4")), False),
        (affinity(expression("pool", "In", "db"), expression("pool", "In", "web")), True),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}), False),
        (affinity({}), False),
    ],
)
def test_a_node_is_admitted_as_the_scheduler_would(spec, admitted):
    assert _selectors.admits(spec, node(pool="web", cores="8")) is admitted


@pytest.mark.parametrize(
    ("tolerations", "holds"),
    [
        ([], False),
        ([{"operator": "Exists"}], True),
        ([{"key": "own", "operator": "Exists"}], True),
        ([{"key": "own", "value": "x"}], True),
        ([{"key": "own", "value": "y"}], False),
        ([{"key": "own", "value": "x", "effect": "NoExecute"}], False),
    ],
)
def test_taints_are_tolerated_as_the_scheduler_would(tolerations, holds):
    taints = [{"key": "own", "value": "x", "effect": "NoSchedule"}, {"key": "mild", "effect": "PreferNoSchedule"}]
    assert _selectors.tolerated({"tolerations": tolerations}, node(taints=taints)) is holds
