import pytest

from blackstart.changes.gate import inject
from blackstart.changes.health_check import InvertedHealthCheck, find_health_check, plan_inversion, plan_pretence
from blackstart.changes.kind import Ending
from blackstart.changes.undo import undo
from blackstart.errors import Refused

FAILING = "failing the health check"


@pytest.fixture
def check(clients):
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80, "ResourcePath": "/healthz"}
    route53 = clients.aws("route53")
    made = route53.create_health_check(CallerReference="1", HealthCheckConfig=config)["HealthCheck"]["Id"]
    tags = [{"Key": "blackstart", "Value": "allowed"}]
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=made, AddTags=tags)
    return made


@pytest.fixture
def inverted(clients, check):
    route53 = clients.aws("route53")
    return lambda: route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]["Inverted"]


def test_a_health_check_is_inverted_and_set_right_again(clients, check, inverted, aws_gate):
    (change,) = plan_inversion(find_health_check(clients, check))
    assert "orders.shop.test" in change.summary
    inject([change], aws_gate, FAILING)
    assert inverted() is True
    assert undo("drill-1", aws_gate.reach).complete
    assert inverted() is False


def test_one_that_is_inverted_already_is_refused(clients, check):
    clients.aws("route53").update_health_check(HealthCheckId=check, Inverted=True)
    with pytest.raises(Refused, match="inverting it would mend it"):
        plan_inversion(find_health_check(clients, check))


def test_one_that_does_not_exist_is_refused(clients):
    with pytest.raises(Refused, match="there is no such health check"):
        find_health_check(clients, "00000000-0000-0000-0000-000000000000")


def test_one_that_was_deleted_meanwhile_is_a_conflict(clients, check):
    (change,) = plan_inversion(find_health_check(clients, check))
    clients.aws("route53").delete_health_check(HealthCheckId=check)
    assert InvertedHealthCheck().undo([change], clients)[change.id].ending is Ending.CONFLICT


def test_one_that_has_not_opted_in_is_refused(clients, check, inverted, aws_gate):
    tags = ["blackstart"]
    clients.aws("route53").change_tags_for_resource(ResourceType="healthcheck", ResourceId=check, RemoveTagKeys=tags)
    with pytest.raises(Refused, match="has not opted in"):
        inject(plan_inversion(find_health_check(clients, check)), aws_gate, FAILING)
    assert inverted() is False


def test_undo_after_no_apply_and_a_second_undo_do_nothing(clients, check, inverted):
    (change,) = plan_inversion(find_health_check(clients, check))
    kind = InvertedHealthCheck()
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    kind.apply([change], clients)
    assert kind.undo([change], clients)[change.id].ending is Ending.RESTORED
    assert kind.undo([change], clients)[change.id].ending is Ending.UNTOUCHED
    assert kind.verify([change], clients)[change.id].ending is Ending.UNTOUCHED
    assert inverted() is False


@pytest.fixture
def config(clients, check):
    route53 = clients.aws("route53")
    return lambda: route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]


def test_one_is_stuck_healthy_until_it_is_let_look_again(clients, check, config, aws_gate):
    (change,) = plan_pretence(find_health_check(clients, check))
    assert "counts as healthy whatever happens" in change.summary
    inject([change], aws_gate, FAILING)
    assert (config()["Disabled"], config()["Inverted"]) == (True, False)
    assert undo("drill-1", aws_gate.reach).complete
    assert config()["Disabled"] is False


@pytest.mark.parametrize(
    ("already", "why"), [({"Disabled": True}, "disabled already"), ({"Inverted": True}, "counts as unhealthy")]
)
def test_one_cannot_be_pretended_healthy_that_is_falsified_already(clients, check, already, why):
    clients.aws("route53").update_health_check(HealthCheckId=check, **already)
    with pytest.raises(Refused, match=f"not pretending health check {check} healthy: .*{why}"):
        plan_pretence(find_health_check(clients, check))


def test_one_that_was_disabled_before_is_failed_and_stays_disabled(clients, check, config):
    clients.aws("route53").update_health_check(HealthCheckId=check, Disabled=True)
    (change,) = plan_inversion(find_health_check(clients, check))
    kind = InvertedHealthCheck()
    kind.apply([change], clients)
    assert kind.undo([change], clients)[change.id].ending is Ending.RESTORED
    assert (config()["Disabled"], config()["Inverted"]) == (True, False)
