"""What Route 53 goes by, as probes tell it; resolving names is in tests/probes."""

import http.server
import threading

import pytest

from blackstart.errors import ConfigInvalid, NotMeasured
from blackstart.lab.aws.plan import SeedPlan
from blackstart.lab.aws.seed_names import seed_names
from blackstart.lab.aws.verbs import status_document
from blackstart.probes import dns

ZONE, HOST = "shop.test", "orders.shop.test"


@pytest.fixture
def names(clients):
    """The names of the lab's platform."""
    return seed_names(clients.aws, SeedPlan())


def test_records_are_told_by_set_identifier(names):
    found = dns.records(ZONE, HOST)
    assert found["primary"] == {
        "weight": None, "values": ["127.0.0.11"], "alias": None, "health check": names.health_check,
    }  # fmt: skip
    assert {name: each["weight"] for name, each in dns.records(names.hosted_zone, "weighted.shop.test").items()} == {
        "us-east-1": 90,
        "us-west-2": 10,
    }
    with pytest.raises(NotMeasured, match="none of type AAAA"):
        dns.records(ZONE, HOST, "AAAA")


def test_a_health_check_is_found_by_name_and_its_checkers_are_asked(names):
    assert dns.health_check_status(zone=ZONE, name=HOST) == dns.health_check_status(names.health_check) == 1.0
    with pytest.raises(NotMeasured, match="name one of its records that have one: none"):
        dns.health_check_status(zone=ZONE, name="geo.shop.test")
    with pytest.raises(ConfigInvalid, match="there is no"):
        dns.health_check_status("00000000-0000-0000-0000-000000000000")
    with pytest.raises(ConfigInvalid, match="give its id, or else"):
        dns.health_check_status()


@pytest.fixture
def checkers(clients, monkeypatch):
    """A Route 53 that answers with what these checkers see: "Success", "Failure", or nothing yet."""
    said = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            one = status_document({"healthy": True, "reason": "", "since": "2026-01-01T00:00:00Z"}).decode()
            start, rest = one.split("<HealthCheckObservation>")
            each, end = rest.split("</HealthCheckObservation>")
            told = (f"<HealthCheckObservation>{each.replace('Success', it)}</HealthCheckObservation>" for it in said)
            body = f"{start}{''.join(told)}{end}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield said
        server.shutdown()


def test_checkers_that_disagree_are_a_share_and_none_are_nothing_to_go_by(checkers):
    checkers[:] = ["Success", "Failure", "Failure", "Failure"]
    assert dns.health_check_status("check-1") == 0.25
    checkers.clear()
    with pytest.raises(NotMeasured, match="no checker has said anything yet"):
        dns.health_check_status("check-1")
