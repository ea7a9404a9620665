import pytest
from test_kind_permissions import differences, walk

from blackstart.changes.clients import Clients
from blackstart.changes.gate import inject
from blackstart.changes.kind import Ending
from blackstart.changes.model import Change
from blackstart.changes.record_set import RecordSet, find_records, plan_repoint, plan_weights
from blackstart.changes.undo import undo
from blackstart.errors import NotYet, Refused, TargetChanged

HOST, HOME, STANDBY = "orders.shop.test", "10.0.0.1", "10.0.0.2"
SHIFTING = "shifting the weights"


def record(address, **more):
    return {"Name": HOST, "Type": "A", "TTL": 2, "ResourceRecords": [{"Value": address}], **more}


def weighted(name, weight, address):
    return record(address, SetIdentifier=name, Weight=weight)


@pytest.fixture
def route53(clients):
    return clients.aws("route53")


@pytest.fixture
def zone(route53):
    made = route53.create_hosted_zone(Name="shop.test", CallerReference="1")["HostedZone"]["Id"].rpartition("/")[2]
    tags = [{"Key": "blackstart", "Value": "allowed"}]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=made, AddTags=tags)
    return made


@pytest.fixture
def put(route53, zone):
    def upsert(*records):
        changes = [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    return upsert


@pytest.fixture
def held(route53, zone):
    """What Route 53 holds for the name, by set identifier."""

    def read():
        listed = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return {each.get("SetIdentifier", ""): each for each in listed if each["Name"] == f"{HOST}."}

    return read


@pytest.fixture
def shared(put):
    """Two weighted records."""
    put(weighted("home", 90, HOME), weighted("standby", 10, STANDBY))


@pytest.fixture
def weights(held):
    return lambda: {name: each["Weight"] for name, each in held().items()}


def test_weights_are_shifted_in_one_batch_and_back(clients, zone, shared, weights, aws_gate):
    changes = plan_weights(find_records(clients, zone, HOST), {"home": 0, "standby": 100})
    assert [each.summary for each in changes] == [
        "record orders.shop.test A (home): weight 90 → 0",
        "record orders.shop.test A (standby): weight 10 → 100",
    ]
    inject(changes, aws_gate, SHIFTING)
    assert weights() == {"home": 0, "standby": 100}
    assert undo("drill-1", aws_gate.reach).complete
    assert weights() == {"home": 90, "standby": 10}


def test_the_zone_is_found_by_its_name_and_other_names_are_left_out(clients, zone, shared, put):
    put({**record(HOME), "Name": "a.shop.test"}, {**record(HOME), "Name": "z.orders.shop.test"})
    found = find_records(clients, "shop.test", HOST.upper())
    assert (found.zone, found.tags) == (zone, {"blackstart": "allowed"})
    assert {each["SetIdentifier"] for each in found.sets} == {"home", "standby"}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"home": 0, "standby": 0}, "all weights would be 0, and then Route 53 answers with all of them alike"),
        ({"nobody": 1}, 'no weighted record "nobody"; there are: home, standby'),
        ({"home": 256}, "256 is no weight"),
    ],
)
def test_weights_that_make_no_sense_are_refused(clients, zone, shared, wanted, why):
    with pytest.raises(Refused, match=why):
        plan_weights(find_records(clients, zone, HOST), wanted)


def test_the_last_weight_above_zero_cannot_be_taken_away_by_itself(clients, zone, put):
    put(weighted("home", 90, HOME), weighted("standby", 0, STANDBY))
    with pytest.raises(Refused, match="all weights would be 0"):
        plan_weights(find_records(clients, zone, HOST), {"home": 0})


def test_weights_that_are_so_already_are_nothing_to_change(clients, zone, shared):
    assert plan_weights(find_records(clients, zone, HOST), {"home": 90}) == []


def test_names_and_zones_that_are_not_there_are_refused(clients, zone, shared):
    with pytest.raises(Refused, match="A records of that name, and none of type AAAA"):
        find_records(clients, zone, HOST, "AAAA")
    with pytest.raises(Refused, match="0 hosted zones are called other"):
        find_records(clients, "other.test", HOST)


def test_a_failover_record_is_repointed_and_keeps_everything_else(clients, zone, put, held, aws_gate):
    primary = record(HOME, SetIdentifier="primary", Failover="PRIMARY", HealthCheckId="check-1")
    put(primary, record(STANDBY, SetIdentifier="secondary", Failover="SECONDARY"))
    found = find_records(clients, zone, HOST)
    inject(plan_repoint(found, [STANDBY], record="primary", health_check=""), aws_gate, "repointing")
    assert held()["primary"] == {**record(STANDBY, SetIdentifier="primary", Failover="PRIMARY"), "Name": f"{HOST}."}
    assert undo("drill-1", aws_gate.reach).complete
    assert held()["primary"] == {**primary, "Name": f"{HOST}."}


def test_geolocation_and_simple_records_are_repointed(clients, zone, put, held):
    geo = record(HOME, SetIdentifier="europe", GeoLocation={"ContinentCode": "EU"})
    put(geo)
    RecordSet().apply(plan_repoint(find_records(clients, zone, HOST), [STANDBY, HOME]), clients)
    assert held()["europe"]["GeoLocation"] == {"ContinentCode": "EU"}
    assert [each["Value"] for each in held()["europe"]["ResourceRecords"]] == [HOME, STANDBY]
    with pytest.raises(Refused, match=f"it points to {HOME}, {STANDBY} already"):
        plan_repoint(find_records(clients, zone, HOST), [HOME, STANDBY])


def test_an_alias_stands_for_another_name_and_stays_an_alias(clients, zone, put, held):
    alias = {"HostedZoneId": zone, "DNSName": "east.shop.test.", "EvaluateTargetHealth": True}
    put({"Name": HOST, "Type": "A", "AliasTarget": alias})
    changes = plan_repoint(find_records(clients, zone, HOST), ["west.shop.test"])
    assert changes[0].summary == "record orders.shop.test A: east.shop.test. → west.shop.test"
    kind = RecordSet()
    kind.apply(changes, clients)
    assert held()[""]["AliasTarget"] == {**alias, "DNSName": "west.shop.test."}
    assert kind.undo(changes, clients)[changes[0].id].ending is Ending.RESTORED
    assert held()[""]["AliasTarget"] == alias
    with pytest.raises(Refused, match="an alias stands for one name"):
        plan_repoint(find_records(clients, zone, HOST), ["a.shop.test", "b.shop.test"])


def test_which_of_several_records_must_be_said(clients, zone, shared):
    with pytest.raises(Refused, match=r'2 records are meant by ""; name one of: home, standby'):
        plan_repoint(find_records(clients, zone, HOST), [STANDBY])


@pytest.fixture
def shift(clients, zone, shared):
    return plan_weights(find_records(clients, zone, HOST), {"home": 0, "standby": 100})


def test_applying_and_undoing_again_does_nothing_more_also_in_another_process(clients, shift, weights):
    assert RecordSet().undo(shift, clients)[shift[0].id].ending is Ending.UNTOUCHED
    RecordSet().apply(shift, clients)
    RecordSet().apply(shift, clients)
    again = [Change.from_json(each.to_json()) for each in shift]
    assert {each.ending for each in RecordSet().undo(again, clients).values()} == {Ending.RESTORED}
    assert {each.ending for each in RecordSet().undo(again, clients).values()} == {Ending.UNTOUCHED}
    assert weights() == {"home": 90, "standby": 10}


def test_half_an_apply_is_undone(clients, shift, weights):
    RecordSet().apply(shift[:1], clients)
    endings = RecordSet().undo(shift, clients)
    assert [endings[each.id].ending for each in shift] == [Ending.RESTORED, Ending.UNTOUCHED]
    assert weights() == {"home": 90, "standby": 10}


def test_what_somebody_else_changed_stays_and_the_rest_is_put_back(clients, shift, put, held):
    kind = RecordSet()
    kind.apply(shift, clients)
    put(weighted("home", 50, HOME), {**weighted("standby", 100, STANDBY), "TTL": 30})
    endings = kind.undo(shift, clients)
    assert [endings[each.id].ending for each in shift] == [Ending.CONFLICT, Ending.RESTORED]
    assert (held()["home"]["Weight"], held()["standby"]["Weight"], held()["standby"]["TTL"]) == (50, 10, 30)


def test_one_that_was_changed_since_the_plan_is_left_alone(clients, shift, put, weights):
    put(weighted("standby", 70, STANDBY))
    with pytest.raises(TargetChanged, match="weight 70"):
        RecordSet().apply(shift, clients)
    assert weights() == {"home": 90, "standby": 70}


def test_one_that_is_gone_is_a_conflict(clients, route53, shift, zone, held):
    gone = [{"Action": "DELETE", "ResourceRecordSet": held()["home"]}]
    RecordSet().apply(shift[1:], clients)
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": gone})
    assert RecordSet().undo(shift, clients)[shift[0].id].ending is Ending.CONFLICT


def test_one_that_has_not_opted_in_is_refused(clients, zone, shared, weights, aws_gate):
    route53 = clients.aws("route53")
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, RemoveTagKeys=["blackstart"])
    with pytest.raises(Refused, match="has not opted in"):
        inject(plan_weights(find_records(clients, zone, HOST), {"home": 0}), aws_gate, SHIFTING)
    assert weights() == {"home": 90, "standby": 10}


class Slow:
    """Clients of a Route 53 whose servers have not heard of a change yet, as no emulator does."""

    def __init__(self, clients):
        self.route53, self.status = clients.aws("route53"), "PENDING"

    def aws(self, *_):
        return self

    def __getattr__(self, name):
        return getattr(self.route53, name)

    def get_change(self, **asked):
        return {"ChangeInfo": {"Id": asked["Id"], "Status": self.status}}


def test_a_change_is_applied_once_all_servers_have_it(clients, shift, weights):
    slow, kind = Slow(clients), RecordSet()
    for _ in range(2):
        with pytest.raises(NotYet, match="still on its way to Route 53's servers; try") as caught:
            kind.apply(shift, slow)
    assert caught.value.begun
    assert weights() == {"home": 0, "standby": 100}
    slow.status = "INSYNC"
    kind.apply(shift, slow)


def test_it_is_undone_before_it_is_everywhere_and_verified_once_that_is(clients, shift, weights):
    slow, kind = Slow(clients), RecordSet()
    with pytest.raises(NotYet):
        kind.apply(shift, slow)
    assert {each.ending for each in kind.undo(shift, slow).values()} == {Ending.RESTORED}
    assert weights() == {"home": 90, "standby": 10}
    assert {each.ending for each in kind.verify(shift, slow).values()} == {Ending.PENDING}
    slow.status = "INSYNC"
    assert {each.ending for each in kind.verify(shift, slow).values()} == {Ending.UNTOUCHED}


def test_it_calls_just_what_it_declares(clients, shift):
    calls = []
    heard = Clients(record=calls.append)
    assert differences(shift, walk(shift, heard, calls)) == {}
    heard.close()


def test_a_fault_of_several_records_is_one_call(clients, shift):
    calls = []
    heard = Clients(record=calls.append)
    RecordSet().apply(shift, heard)
    assert [str(call) for call in calls if not call.reads] == ["route53:ChangeResourceRecordSets"]
    heard.close()
