"""Routing controls of the lab's AWS API, through the router, as clients of ARC and of Route 53 see them."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

IMPATIENT = Config(read_timeout=0.5, retries={"total_max_attempts": 1})
CONFIG, DATA = "route53-recovery-control-config", "route53-recovery-cluster"


@pytest.fixture(scope="module")
def config(api):
    return api.clients(CONFIG, "us-west-2")


@pytest.fixture(scope="module")
def data(api):
    return api.clients(DATA, "eu-west-1")


@pytest.fixture(scope="module")
def cluster(config):
    return config.create_cluster(ClusterName="routing-test", ClientToken="1")["Cluster"]


@pytest.fixture
def panel(config, cluster):
    asked = {"ClusterArn": cluster["ClusterArn"], "ControlPanelName": "own", "Tags": {"blackstart": "allowed"}}
    return config.create_control_panel(ClientToken="2", **asked)["ControlPanel"]["ControlPanelArn"]


@pytest.fixture
def controls(config, cluster, panel):
    """Two of them, both Off."""
    asked = {"ClusterArn": cluster["ClusterArn"], "ControlPanelArn": panel}
    made = [config.create_routing_control(RoutingControlName=name, **asked) for name in ("east", "west")]
    return [each["RoutingControl"]["RoutingControlArn"] for each in made]


@pytest.fixture
def switch(data):
    def to(states):
        entries = [{"RoutingControlArn": arn, "RoutingControlState": state} for arn, state in states.items()]
        data.update_routing_control_states(UpdateRoutingControlStateEntries=entries)

    return to


@pytest.fixture
def states(data, panel):
    def read():
        found = data.list_routing_controls(ControlPanelArn=panel)["RoutingControls"]
        return {each["RoutingControlName"]: each["RoutingControlState"] for each in found}

    return read


def rule(panel, controls, **more):
    config = {"Type": "ATLEAST", "Threshold": 1, "Inverted": False, **more}
    return {"Name": "one-is-on", "ControlPanelArn": panel, "WaitPeriodMs": 0, "RuleConfig": config} | controls


def test_a_cluster_has_five_endpoints_that_lead_to_the_one_api(api, config, cluster):
    (found,) = [each for each in config.list_clusters()["Clusters"] if each["Name"] == "routing-test"]
    assert found == config.describe_cluster(ClusterArn=cluster["ClusterArn"])["Cluster"]
    assert len({each["Region"] for each in found["ClusterEndpoints"]}) == 5
    assert {each["Endpoint"] for each in found["ClusterEndpoints"]} == {f"{api.url}/v1"}


def test_controls_are_off_until_they_are_switched(data, controls, states, switch):
    assert states() == {"east": "Off", "west": "Off"}
    switch({controls[0]: "On"})
    data.update_routing_control_state(RoutingControlArn=controls[1], RoutingControlState="On")
    assert states() == {"east": "On", "west": "On"}
    assert data.get_routing_control_state(RoutingControlArn=controls[0])["RoutingControlState"] == "On"


def test_configuration_is_listed_and_described(config, panel, controls):
    listed = config.list_routing_controls(ControlPanelArn=panel)["RoutingControls"]
    assert [each["RoutingControlArn"] for each in listed] == controls
    assert config.describe_routing_control(RoutingControlArn=controls[0])["RoutingControl"]["Name"] == "east"
    assert config.list_tags_for_resource(ResourceArn=panel)["Tags"] == {"blackstart": "allowed"}


def test_a_safety_rule_keeps_all_of_a_batch_from_happening(config, panel, controls, states, switch):
    switch({controls[0]: "On"})
    made = rule(panel, {"AssertedControls": controls})
    config.create_safety_rule(AssertionRule=made)
    with pytest.raises(ClientError, match=r"ConflictException.*one-is-on"):
        switch({controls[0]: "Off"})
    assert states() == {"east": "On", "west": "Off"}
    switch({controls[0]: "Off", controls[1]: "On"})
    assert states() == {"east": "Off", "west": "On"}


def test_a_gate_that_is_closed_keeps_its_targets(config, data, panel, controls, switch):
    gate, target = controls
    config.create_safety_rule(GatingRule=rule(panel, {"GatingControls": [gate], "TargetControls": [target]}))
    with pytest.raises(data.exceptions.ConflictException):
        switch({target: "On"})
    switch({gate: "On"})
    switch({target: "On"})


def test_what_is_not_there_is_said_so(config, data, switch):
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_routing_control_state(RoutingControlArn="arn:aws:route53-recovery-control::1:controlpanel/x")
    with pytest.raises(config.exceptions.ResourceNotFoundException):
        config.describe_cluster(ClusterArn="arn:none")
    with pytest.raises(ClientError, match="the lab has no DELETE of cluster"):
        config.delete_cluster(ClusterArn="arn:none")


def test_a_health_check_follows_a_routing_control(api, controls):
    route53 = api.clients("route53", "us-east-1")
    asked = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": controls[0]}
    made = route53.create_health_check(CallerReference=controls[0], HealthCheckConfig=asked)["HealthCheck"]
    listed = {each["Id"]: each for each in route53.list_health_checks()["HealthChecks"]}
    for found in (made, listed[made["Id"]], route53.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]):
        assert found["HealthCheckConfig"]["RoutingControlArn"] == controls[0]
    route53.update_health_check(HealthCheckId=made["Id"], Inverted=True)
    config = route53.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]["HealthCheckConfig"]
    assert (config["Inverted"], config["RoutingControlArn"]) == (True, controls[0])
    route53.delete_health_check(HealthCheckId=made["Id"])


@pytest.fixture
def lost(api):
    """Takes control planes away; they are back after the test."""
    regions = ("us-east-1", "us-west-2")
    for region in regions:
        api.ask("/control-planes", {"region": region, "reachable": False})
    yield
    for region in regions:
        api.ask("/control-planes", {"region": region, "reachable": True})


def test_states_are_switched_elsewhere_while_two_regions_are_lost_and_configuration_is_not(
    api, controls, switch, states, lost
):
    switch({controls[0]: "On"})  # by the endpoint in eu-west-1
    assert states()["east"] == "On"
    config = api.clients._session.create_client(CONFIG, "us-west-2", endpoint_url=api.url, config=IMPATIENT)
    with pytest.raises(ReadTimeoutError):
        config.list_clusters()
    config.close()
