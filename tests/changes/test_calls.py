"""What a drill's own calls of AWS leave in its journal, made over real HTTP."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.changes.calls import CallLog
from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock
from blackstart.errors import Refused
from blackstart.observer import jsonl

ANSWER = b"""<DescribeZonesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>
<availabilityZoneInfo/></DescribeZonesResponse>"""


class Service(BaseHTTPRequestHandler):
    agents: list = []  # noqa: RUF012
    status = 200

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.agents.append(self.headers["User-Agent"])
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


@pytest.fixture
def aws(monkeypatch):
    Service.agents, Service.status = [], 200
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environ = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_DEFAULT_REGION": "us-west-2"}
    for name, value in {**environ, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_call_is_written_down_with_what_became_of_it(aws, tmp_path, monkeypatch):
    clients = Clients(attempts=1, listen=CallLog(tmp_path, "drill", SystemClock()).listen)
    clients.aws("ec2", "us-east-1").describe_availability_zones()
    Service.status = 400
    with pytest.raises(ClientError):
        clients.aws("ec2", "us-east-1").describe_availability_zones()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(BotoCoreError):
        clients.aws("route53").list_hosted_zones()
    clients.close()
    begun, *calls = jsonl.read(tmp_path / "calls.jsonl")
    assert begun == {"by": "drill", "begun": True}
    told = [(c["service"], c["region"], c["operation"], c["outcome"]) for c in calls]
    assert told == [
        ("ec2", "us-east-1", "DescribeAvailabilityZones", "answered"),
        ("ec2", "us-east-1", "DescribeAvailabilityZones", "answered"),
        ("route53", "", "ListHostedZones", "EndpointConnectionError"),
    ]
    assert all(0 <= c["seconds"] < 10 and c["monotonic"] <= SystemClock().monotonic() for c in calls)
    assert all("blackstart" in agent.split() for agent in Service.agents)


def test_a_call_that_is_refused_was_not_made(aws, tmp_path):
    log = CallLog(tmp_path, "drill", SystemClock())
    clients = Clients(attempts=1, read_only=True, listen=log.listen)
    with pytest.raises(Refused):
        clients.aws("ec2", "us-east-1").delete_vpc(VpcId="vpc-1")
    clients.close()
    assert jsonl.read(tmp_path / "calls.jsonl") == [{"by": "drill", "begun": True}]


def test_without_a_journal_nothing_is_written(aws, tmp_path):
    clients = Clients(attempts=1, listen=CallLog(None, "recover", SystemClock()).listen)
    clients.aws("ec2", "us-east-1").describe_availability_zones()
    clients.close()
