"""Verbs that the router answers itself."""

import pytest
from aiohttp import web
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from blackstart.lab.aws import router, verbs
from blackstart.lab.aws.clients import Clients
from blackstart.lab.serving import answering

SINCE = "2026-11-23T14:04:41.123Z"


def parsed(document):
    """The document as botocore understands it."""
    model = ServiceModel(Loader().load_service_model("route53", "service-2"), "route53")
    shape = model.operation_model("GetHealthCheckStatus").output_shape
    return create_parser("rest-xml").parse({"body": document, "headers": {}, "status_code": 200}, shape)


@pytest.mark.parametrize(("healthy", "word"), [(True, "Success"), (False, "Failure")])
def test_a_status_says_what_the_checkers_saw_and_since_when(healthy, word):
    document = verbs.status_document({"healthy": healthy, "since": SINCE, "reason": "HTTP Status Code 200 <OK>"})
    (observation,) = parsed(document)["HealthCheckObservations"]
    assert observation["StatusReport"]["Status"] == f"{word}: HTTP Status Code 200 <OK>"
    assert observation["StatusReport"]["CheckedTime"].isoformat().startswith("2026-11-23T14:04:41")


def test_a_check_that_was_not_made_yet_has_no_observations():
    assert parsed(verbs.status_document({}))["HealthCheckObservations"] == []


@pytest.fixture
def checkers(api, background, free_port, seeded):
    """A router that asks checkers which saw the seeded health check fail: (clients, ids they know)."""
    seen = {seeded.health_check: {"healthy": False, "effective": True, "since": SINCE, "reason": "no answer"}}
    port = free_port()

    async def health(_request):
        return web.json_response(seen)

    async def serve():
        app = web.Application()
        app.router.add_get("/health", health)
        async with answering(app, "127.0.0.1", port):
            await router.serve(spec)

    spec = router.RouterSpec(
        "127.0.0.1",
        free_port(),
        free_port(),
        api.spec.moto_url,
        api.spec.ministack_url,
        dns_admin_url=f"http://127.0.0.1:{port}",
    )
    background(serve(), f"http://127.0.0.1:{spec.admin_port}/healthz")
    clients = Clients(f"http://127.0.0.1:{spec.port}")
    yield clients("route53", "us-east-1")
    clients.close()


def test_the_status_of_a_health_check_is_what_the_dns_servers_checkers_saw(checkers, seeded):
    answer = checkers.get_health_check_status(HealthCheckId=seeded.health_check)
    (observation,) = answer["HealthCheckObservations"]
    assert observation["StatusReport"]["Status"] == "Failure: no answer"


def test_the_status_of_an_unknown_health_check_is_refused(checkers):
    with pytest.raises(ClientError) as caught:
        checkers.get_health_check_status(HealthCheckId="00000000-0000-0000-0000-000000000000")
    assert caught.value.response["Error"]["Code"] == "NoSuchHealthCheck"


def test_without_checkers_the_status_is_unavailable(api, background, free_port, seeded):
    nowhere = f"http://127.0.0.1:{free_port()}"
    spec = router.RouterSpec("127.0.0.1", free_port(), free_port(), api.spec.moto_url, nowhere, dns_admin_url=nowhere)
    background(router.serve(spec), f"http://127.0.0.1:{spec.admin_port}/healthz")
    clients = Clients(f"http://127.0.0.1:{spec.port}")
    with pytest.raises(ClientError, match="could not ask the health checkers"):
        clients.impatient("route53", "us-east-1").get_health_check_status(HealthCheckId=seeded.health_check)
    clients.close()
