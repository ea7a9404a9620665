import pytest

from blackstart.lab.kube import selectors
from blackstart.lab.kube.status import ApiError

LABELS = {"app": "orders", "zone": "a", "prefix.example/x": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=orders", True),
        ("app==orders,zone=a", True),
        ("app=orders,zone=b", False),
        ("app!=orders", False),
        ("missing!=x", True),
        ("zone in (a, b),app", True),
        ("zone notin (a,b)", False),
        ("missing notin (a)", True),
        ("!missing", True),
        ("!app", False),
        ("prefix.example/x=", True),
    ],
)
def test_label_selectors_read_like_kubernetes_does(text, matches):
    assert selectors.labels(text)(LABELS) is matches


@pytest.mark.parametrize("text", ["a in b", "=x", "a=b=c", "a in (b", "(a)"])
def test_a_label_selector_that_cannot_be_read_is_refused(text):
    with pytest.raises(ApiError) as caught:
        selectors.labels(text)
    assert caught.value.code == 400


def test_a_selector_object_matches_by_labels_and_expressions():
    selector = {
        "matchLabels": {"app": "orders"},
        "matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["a"]},
            {"key": "missing", "operator": "DoesNotExist"},
        ],
    }
    assert selectors.label_selector(selector)(LABELS)
    assert not selectors.label_selector(selector)(LABELS | {"missing": "x"})
    assert selectors.labels(selectors.to_text(selector))(LABELS)


def test_no_selector_matches_nothing_and_an_empty_one_everything():
    assert not selectors.label_selector(None)(LABELS)
    assert selectors.label_selector({})(LABELS)


def test_an_unknown_operator_is_refused():
    with pytest.raises(ApiError):
        selectors.expressed({"key": "a", "operator": "Like"})


@pytest.mark.parametrize(("operator", "bound", "matches"), [("Gt", "4", True), ("Lt", "4", False), ("Gt", "x", False)])
def test_numbers_can_be_compared(operator, bound, matches):
    assert selectors.expressed({"key": "n", "operator": operator, "values": [bound]})({"n": "5"}) is matches


POD = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("status.phase=Running,spec.nodeName==n", True),
        ("status.phase!=Running", False),
        ("metadata.name=p", True),
        ("status.podIP=", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_field_selectors_compare_text(text, matches):
    assert selectors.fields("pods.", text)(POD) is matches


def test_a_field_without_an_index_is_refused_rather_than_matching_nothing():
    with pytest.raises(ApiError, match="field label not supported"):
        selectors.fields("pods.", "spec.color=red")


def test_the_source_of_an_event_is_its_component():
    event = {"metadata": {"name": "e"}, "source": {"component": "failover-automation"}}
    assert selectors.fields("events.", "source=failover-automation")(event)
