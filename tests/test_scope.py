import pytest
from pydantic import ValidationError

from blackstart.scope import Scope, Target, objection

SCOPE = Scope(
    environment="lab",
    accounts=("123456789012",),
    regions=("us-east-1",),
    clusters=("shop-us-east-1",),
    namespaces=("shop",),
    required_tag="blackstart",
)


def subnet(**changes: object) -> Target:
    fields = {"kind": "subnet", "id": "subnet-1", "region": "us-east-1", "tags": {"blackstart": "allowed"}}
    return Target(**(fields | changes))  # type: ignore[arg-type]


def test_a_target_inside_the_scope_is_permitted():
    assert objection(SCOPE, subnet(account="123456789012")) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("account", "999999999999"), ("region", "eu-west-1"), ("cluster", "bank"), ("namespace", "kube-system")],
)
def test_a_target_outside_the_scope_is_refused_by_the_name_of_what_is_outside(field, value):
    reason = objection(SCOPE, subnet(**{field: value}))
    assert reason is not None
    assert f"{field} {value}" in reason


def test_a_target_that_has_not_opted_in_is_refused():
    assert "has not opted in" in str(objection(SCOPE, subnet(tags={})))


def test_a_target_that_says_nothing_of_where_it_is_is_refused():
    assert "cannot tell" in str(objection(SCOPE, subnet(region="")))


def test_an_empty_scope_permits_nothing():
    assert objection(Scope(environment="production"), subnet()) is not None


def test_unknown_keys_in_a_scope_are_refused():
    with pytest.raises(ValidationError, match="regoins"):
        Scope.model_validate({"environment": "lab", "regoins": ["us-east-1"]})
