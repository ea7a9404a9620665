import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from blackstart.changes.answers import passing, told
from blackstart.errors import NotYet, ServiceUnreachable, TargetChanged
from blackstart.kube.client import KubeRefused


def refused(code, status):
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "StopInstances")


@pytest.mark.parametrize(
    "error",
    [
        refused("RequestLimitExceeded", 503),
        refused("Throttling", 400),
        refused("ThrottlingException", 400),
        refused("InternalError", 500),
        refused("Anything", 429),
        ReadTimeoutError(endpoint_url="http://aws"),
        EndpointConnectionError(endpoint_url="http://aws"),
        ConnectionClosedError(endpoint_url="http://aws"),
        ResponseParserError("a page in HTML"),
        KubeRefused("GET /api/v1/nodes", 429, "too many requests"),
        KubeRefused("GET /api/v1/nodes", 503, "no leader"),
        ServiceUnreachable("GET /api/v1/nodes", "shop", "did not answer"),
        NotYet("instance i-1", "stopping"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:60],
)
def test_what_may_be_over_soon_passes(error):
    assert passing(error)


@pytest.mark.parametrize(
    "error",
    [
        refused("UnauthorizedOperation", 403),
        refused("InvalidParameterValue", 400),
        NoCredentialsError(),
        ParamValidationError(report="x"),
        KubeRefused("GET /api/v1/nodes", 403, "forbidden"),
        KubeRefused("GET /api/v1/nodes", 422, "invalid"),
        TargetChanged("subnet subnet-1", "it is gone"),
        KeyError("x"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:60],
)
def test_what_stays_wrong_does_not(error):
    assert not passing(error)


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"])
def test_a_missing_permission_is_named_as_a_policy_names_it(code):
    said = told(refused(code, 403), ("ec2:DescribeInstances", "ec2:StopInstances"))
    assert said.startswith("the permission ec2:StopInstances is missing (An error occurred")
    assert told(refused(code, 403)).startswith("the permission StopInstances is missing")


def test_other_errors_say_what_they_say():
    assert told(NotYet("instance i-1", "stopping")) == str(NotYet("instance i-1", "stopping"))
    assert told(refused("InternalError", 500)).startswith("An error occurred (InternalError)")
    assert told(KeyError()) == "KeyError()"
