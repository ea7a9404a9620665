import pytest

from blackstart.lab.aws.signature import Scope, operation_in, scope_of

HEADER = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20261123/us-west-2/rds/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def test_the_authorization_header_names_service_and_region():
    assert scope_of(HEADER, "") == Scope("rds", "us-west-2")


def test_a_presigned_url_names_them_in_its_query():
    query = "X-Amz-Credential=123456789012%2F20261123%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Expires=60"
    assert scope_of("", query) == Scope("s3", "us-east-1")


@pytest.mark.parametrize("authorization", ["", "Basic abc", "AWS4-HMAC-SHA256 Credential=short/scope", "AWS key:sig"])
def test_what_is_not_signed_that_way_has_no_scope(authorization):
    assert scope_of(authorization, "list-type=2") is None


def test_json_protocols_name_the_operation_in_a_header():
    assert operation_in({"X-Amz-Target": "AmazonSQS.SendMessage"}, "", b"{}") == "SendMessage"


def test_query_protocols_name_it_in_the_form_wherever_it_stands():
    assert operation_in(FORM, "", b"Version=2016-11-15&Action=DescribeVpcs") == "DescribeVpcs"
    assert operation_in(FORM, "", b"Action=DescribeVpcs&Version=2016-11-15") == "DescribeVpcs"


def test_a_parameter_that_ends_in_action_is_not_the_action():
    assert operation_in(FORM, "", b"RuleAction=deny&Action=CreateNetworkAclEntry") == "CreateNetworkAclEntry"


def test_query_protocols_may_name_it_in_the_url():
    assert operation_in({}, "Action=GetCallerIdentity&Version=2011-06-15", b"") == "GetCallerIdentity"


def test_rest_names_no_operation():
    assert operation_in({}, "versions", b"<xml/>") == ""
