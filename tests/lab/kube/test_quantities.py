import pytest

from blackstart.lab.kube.quantities import Amounts, lacking, parse, requested


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", 0.25), ("2", 2), ("1.5", 1.5), ("1Gi", 2**30), ("1k", 1000), ("1E", 1e18), ("1e3", 1000), (4, 4)],
)
def test_quantities_stand_for_numbers(text, number):
    assert parse(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "much", "1Zi", "Gi"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text)


def test_a_pod_asks_for_its_requests_or_else_its_limits():
    resources = [{"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Ki"}}, {}]
    spec = {"containers": [{"resources": found} for found in resources]}
    assert requested(spec) == Amounts(0.1, 1024, 1)


def test_a_node_lacks_what_it_declares_too_little_of():
    used, asked = Amounts(1.5, 0, 2), Amounts(0.5, 100, 1)
    assert lacking({"cpu": "2", "memory": "1Ki", "pods": "3"}, used, asked) == []
    assert lacking({"cpu": "1900m", "memory": "50", "pods": "2"}, used, asked) == [
        "Insufficient cpu",
        "Insufficient memory",
        "Too many pods",
    ]
    assert lacking({}, used, asked) == []
