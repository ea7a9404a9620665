"""The router in front of real emulators, called by real clients."""

import asyncio
import json
import socket
import threading
import time
import urllib.request

import pytest
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from blackstart.lab.aws import router
from blackstart.lab.aws.clients import Clients
from blackstart.lab.serving import answering

IMPATIENT = Config(read_timeout=0.5, retries={"total_max_attempts": 1})
HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def plane(api):
    """Takes a region's control plane away; it is back after the test."""

    def take(region):
        api.ask("/control-planes", {"region": region, "reachable": False})

    yield take
    for region in (HOME, STANDBY):
        api.ask("/control-planes", {"region": region, "reachable": True})


class Lone:
    """A router without emulators."""

    def __init__(self, spec):
        self.spec = spec

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"http://{self.spec.host}:{self.spec.admin_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
            return json.loads(answer.read())


def changes_after(api, seq):
    return [tuple(change[1:]) for change in api.ask(f"/changes?since={seq}")["services"]]


def raw_call(api, service, region, path="/", body="Action=DescribeVpcs&Version=2016-11-15"):
    """A request on a bare socket, without waiting for the answer."""
    connection = socket.create_connection((api.spec.host, api.spec.port), timeout=5)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: aws",
        f"Authorization: AWS4-HMAC-SHA256 Credential=123456789012/20261123/{region}/{service}/aws4_request",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    return connection


def test_each_service_is_answered_by_the_emulator_that_does_it_better(api):
    assert api.clients("sts", HOME).get_caller_identity()["Account"] == "123456789012"
    with urllib.request.urlopen(f"{api.spec.ministack_url}/_ministack/health") as health:
        assert health.status == 200
    url = api.clients("sqs", HOME).create_queue(QueueName="who-answers")["QueueUrl"]
    assert url == f"{api.url}/123456789012/who-answers"
    clusters = api.clients("eks", HOME).list_clusters()["clusters"]
    assert isinstance(clusters, list)


def test_regions_are_apart(api):
    api.clients("ec2", HOME).create_key_pair(KeyName="only-at-home")
    assert api.clients("ec2", STANDBY).describe_key_pairs()["KeyPairs"] == []
    assert [pair["KeyName"] for pair in api.clients("ec2", HOME).describe_key_pairs()["KeyPairs"]] == ["only-at-home"]


def test_a_mutation_is_told_to_those_who_follow_the_changes_and_a_read_is_not(api):
    seq = api.last_change()
    api.clients("ec2", STANDBY).describe_vpcs()
    api.clients("ec2", STANDBY).create_vpc(CidrBlock="10.9.0.0/16")
    assert changes_after(api, seq) == [("ec2", STANDBY, "CreateVpc")]


def test_a_mutation_of_the_lab_itself_is_told_too(api):
    seq = api.last_change()
    api.inner("ec2", STANDBY).create_vpc(CidrBlock="10.9.0.0/16")
    assert changes_after(api, seq) == [("ec2", STANDBY, "CreateVpc")]


def test_a_mutation_that_was_refused_is_not_told(api):
    seq = api.last_change()
    with pytest.raises(ClientError):
        api.clients("ec2", HOME).delete_vpc(VpcId="vpc-00000000")
    assert changes_after(api, seq) == []


def test_whoever_waits_for_changes_hears_of_one_at_once(api):
    seq, heard = api.last_change(), []

    def wait():
        heard.append((api.ask(f"/changes?since={seq}&wait=8"), time.monotonic()))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    api.clients("ec2", HOME).create_vpc(CidrBlock="10.9.0.0/16")
    made = time.monotonic()
    thread.join()
    (told, at) = heard[0]
    assert told["services"] == [[seq + 1, "ec2", HOME, "CreateVpc"]]
    assert told["seq"] == seq + 1
    assert at - made < 0.5


def test_every_call_of_a_client_is_logged_with_who_made_it(api):
    since = max((call["seq"] for call in api.ask("/calls")["calls"]), default=0)
    api.clients("route53", HOME).list_hosted_zones()
    api.inner("route53", HOME).list_hosted_zones()
    (call,) = api.ask(f"/calls?since={since}")["calls"]
    assert (call["service"], call["region"], call["operation"]) == ("route53", HOME, "ListHostedZones")
    assert (call["status"], call["held"]) == (200, False)
    assert "Botocore" in call["user_agent"]


def test_an_unreachable_region_reads_calls_and_never_answers_while_others_do(api, plane):
    plane(HOME)
    with raw_call(api, "ec2", HOME) as held:
        held.settimeout(0.4)
        with pytest.raises(TimeoutError):
            held.recv(1)
    assert api.clients("ec2", STANDBY).describe_vpcs()["Vpcs"]
    assert api.ask("/control-planes") == {"unreachable": [HOME]}


def test_a_client_of_an_unreachable_region_runs_into_its_time_limit(api, plane):
    plane(HOME)
    client = api.clients._session.create_client("sqs", region_name=HOME, endpoint_url=api.url, config=IMPATIENT)
    with pytest.raises(ReadTimeoutError):
        client.list_queues()
    client.close()


def test_global_services_go_with_us_east_1(api, plane):
    plane(HOME)
    with raw_call(api, "route53", STANDBY, "/2013-04-01/hostedzone") as held:
        held.settimeout(0.4)
        with pytest.raises(TimeoutError):
            held.recv(1)


def test_calls_that_were_held_are_cut_off_when_the_region_is_back_and_logged_as_held(api, plane):
    plane(HOME)
    with raw_call(api, "ec2", HOME) as held:
        time.sleep(0.2)
        api.ask("/control-planes", {"region": HOME, "reachable": True})
        held.settimeout(2)
        assert held.recv(1) == b""
    last = api.ask("/calls")["calls"][-1]
    assert (last["operation"], last["status"], last["held"]) == ("DescribeVpcs", 0, True)
    assert api.clients("ec2", HOME).describe_vpcs()["Vpcs"]


def test_a_call_that_was_held_did_not_happen(api, plane):
    plane(HOME)
    seq = api.last_change()
    with raw_call(api, "ec2", HOME, body="Action=CreateVpc&CidrBlock=10.8.0.0%2F16&Version=2016-11-15"):
        time.sleep(0.2)
    vpcs = api.inner("ec2", HOME).describe_vpcs()["Vpcs"]
    assert "10.8.0.0/16" not in {vpc["CidrBlock"] for vpc in vpcs}
    assert changes_after(api, seq) == []


def test_a_client_that_gives_up_on_a_held_call_is_logged(api, plane):
    plane(HOME)
    with raw_call(api, "sqs", HOME, body="Action=ListQueues&Version=2012-11-05"):
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while (last := api.ask("/calls")["calls"][-1])["operation"] != "ListQueues":
        assert time.monotonic() < deadline, "it was not logged"
        time.sleep(0.02)
    assert (last["service"], last["status"], last["held"]) == ("sqs", 0, True)


def test_an_answer_is_lost_when_the_control_plane_goes_while_the_call_is_on_its_way(background, free_port):
    port, asked = free_port(), threading.Event()

    async def slow(_request):
        asked.set()
        await asyncio.sleep(0.5)
        return web.Response(text="<CreateVpcResponse/>", content_type="text/xml")

    async def serve():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", slow)
        async with answering(app, "127.0.0.1", port):
            await router.serve(spec)

    emulator = f"http://127.0.0.1:{port}"
    spec = router.RouterSpec("127.0.0.1", free_port(), free_port(), emulator, emulator)
    background(serve(), f"http://127.0.0.1:{spec.admin_port}/healthz")
    lone = Lone(spec)
    with raw_call(lone, "ec2", HOME, body="Action=CreateVpc&Version=2016-11-15") as lost:
        assert asked.wait(5)
        lone.ask("/control-planes", {"region": HOME, "reachable": False})
        lost.settimeout(1)
        with pytest.raises(TimeoutError):
            lost.recv(1)
    assert [change[3] for change in lone.ask("/changes")["services"]] == ["CreateVpc"]


def test_the_lab_itself_still_reaches_an_unreachable_region(api, plane):
    plane(HOME)
    assert api.inner("ec2", HOME).describe_vpcs()["Vpcs"]


def test_objects_stream_through_both_ways(api):
    s3 = api.clients("s3", HOME)
    s3.create_bucket(Bucket="large-objects")
    content = bytes(range(256)) * 20_000
    s3.put_object(Bucket="large-objects", Key="a/deep key+sign", Body=content)
    assert s3.get_object(Bucket="large-objects", Key="a/deep key+sign")["Body"].read() == content
    assert s3.head_object(Bucket="large-objects", Key="a/deep key+sign")["ContentLength"] == len(content)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="large-objects")["Contents"]] == ["a/deep key+sign"]


def test_a_client_that_asks_before_it_sends_is_not_kept_waiting(api):
    s3 = api.clients("s3", HOME)
    s3.create_bucket(Bucket="expectant")
    began = time.monotonic()
    s3.put_object(Bucket="expectant", Key="k", Body=b"x" * 2_000_000)
    assert time.monotonic() - began < 0.8


def test_a_presigned_url_works_without_a_header(api):
    s3 = api.clients("s3", HOME)
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"


@pytest.mark.parametrize(
    ("service", "operation"),
    [("fis", "list_actions"), ("arc-zonal-shift", "list_autoshifts"), ("ec2", "describe_ipam_pools")],
)
def test_what_the_lab_lacks_is_refused_in_the_words_of_its_protocol(api, service, operation):
    with pytest.raises(ClientError) as caught:
        getattr(api.clients.impatient(service, HOME), operation)()
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_an_emulator_that_is_gone_makes_its_services_unavailable_with_a_sentence(api, background, free_port):
    nowhere = f"http://127.0.0.1:{free_port()}"
    spec = router.RouterSpec("127.0.0.1", free_port(), free_port(), nowhere, nowhere)
    background(router.serve(spec), f"http://127.0.0.1:{spec.admin_port}/healthz")
    clients = Clients(f"http://127.0.0.1:{spec.port}")
    for service, operation in (("ec2", "describe_vpcs"), ("sqs", "list_queues"), ("route53", "list_hosted_zones")):
        with pytest.raises(ClientError, match="could not pass an AWS call on") as caught:
            getattr(clients.impatient(service, HOME), operation)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    clients.close()
