import pytest

from blackstart.lab.aws.operations import Operations

ZONE = "/2013-04-01/hostedzone/Z1"


@pytest.fixture(scope="module")
def operations():
    return Operations()


@pytest.mark.parametrize(
    ("service", "method", "target", "name"),
    [
        ("route53", "GET", "/2013-04-01/hostedzone", "ListHostedZones"),
        ("route53", "GET", ZONE, "GetHostedZone"),
        ("route53", "POST", f"{ZONE}/rrset/", "ChangeResourceRecordSets"),
        ("route53", "POST", f"{ZONE}/rrset", "ChangeResourceRecordSets"),
        ("route53", "GET", "/2013-04-01/healthcheck/a-b/status", "GetHealthCheckStatus"),
        ("route53", "POST", "/2013-04-01/healthcheck/a-b", "UpdateHealthCheck"),
        ("eks", "POST", "/clusters/c/node-groups/n/update-config", "UpdateNodegroupConfig"),
        ("eks", "GET", "/tags/arn%3Aaws%3Aeks%3Acluster%2Fc", "ListTagsForResource"),
        ("s3", "GET", "/", "ListBuckets"),
        ("s3", "PUT", "/bucket", "CreateBucket"),
        ("s3", "PUT", "/bucket?replication", "PutBucketReplication"),
        ("s3", "DELETE", "/bucket", "DeleteBucket"),
        ("s3", "DELETE", "/bucket?policy", "DeleteBucketPolicy"),
        ("s3", "GET", "/bucket?list-type=2&prefix=a", "ListObjectsV2"),
        ("s3", "PUT", "/bucket/a/deep/key", "PutObject"),
        ("s3", "DELETE", "/bucket/key", "DeleteObject"),
        ("s3", "DELETE", "/bucket/key?uploadId=1", "AbortMultipartUpload"),
        ("s3", "PATCH", "/bucket", ""),
        ("no-such-service", "GET", "/", ""),
    ],
)
def test_rest_operations_are_recognised_by_method_path_and_query(operations, service, method, target, name):
    path, _, query = target.partition("?")
    assert operations.rest_name(service, method, path, query) == name


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ec2", "ReplaceNetworkAclAssociation"),
        ("ec2", "TerminateInstances"),
        ("autoscaling", "SuspendProcesses"),
        ("eks", "UpdateNodegroupConfig"),
        ("rds", "FailoverGlobalCluster"),
        ("elasticache", "TestFailover"),
        ("route53", "ChangeResourceRecordSets"),
        ("sqs", "SetQueueAttributes"),
        ("s3", "PutBucketReplication"),
        ("kms", "DisableKey"),
        ("dynamodb", "UpdateTable"),
        ("monitoring", "SetAlarmState"),
    ],
)
def test_what_changes_the_configuration_is_a_change(operations, service, operation):
    assert operations.mutates(service, operation)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ec2", "DescribeInstances"),
        ("route53", "ListResourceRecordSets"),
        ("route53", "GetHealthCheckStatus"),
        ("sqs", "SendMessage"),
        ("sqs", "ReceiveMessage"),
        ("sqs", "DeleteMessageBatch"),
        ("s3", "PutObject"),
        ("s3", "DeleteObject"),
        ("s3", "HeadBucket"),
        ("sns", "Publish"),
        ("kms", "GenerateDataKey"),
        ("sts", "AssumeRole"),
        ("monitoring", "PutMetricData"),
        ("logs", "PutLogEvents"),
        ("dynamodb", "UpdateItem"),
        ("ec2", ""),
    ],
)
def test_reads_and_the_data_planes_are_not(operations, service, operation):
    assert not operations.mutates(service, operation)
