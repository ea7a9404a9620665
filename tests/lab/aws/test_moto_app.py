"""moto as the lab starts it; in a process of its own, because moto keeps what it learnt in its modules."""

import subprocess
import sys
import textwrap
import urllib.error
import urllib.request

import pytest


def run(script):
    argv = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_replaced_while_moto_loads_is_put_back_and_foreign_regions_are_left_out():
    run("""
        from botocore import loaders, session
        from moto.utilities import utils
        from blackstart.lab.aws import moto_app

        before = loaders.JSONFileLoader.load_file, session.create_loader, utils.load_resource
        moto_app.load(("us-east-1", "us-west-2"))
        assert before == (loaders.JSONFileLoader.load_file, session.create_loader, utils.load_resource)

        from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

        sizes = {region: len(found) for region, found in INSTANCE_TYPE_OFFERINGS["availability-zone"].items()}
        assert sizes["us-east-1"] > 100 < sizes["us-west-2"]
        assert not any(size for region, size in sizes.items() if region not in ("us-east-1", "us-west-2"))
    """)


def test_every_load_begins_with_an_empty_account():
    run("""
        from blackstart.lab.aws import moto_app

        moto_app.load(("us-east-1", "us-west-2"))
        from moto.ec2.models import ec2_backends

        ec2_backends["123456789012"]["us-east-1"].create_vpc("10.9.0.0/16")
        moto_app.load(("us-east-1", "us-west-2"))
        assert "10.9.0.0/16" not in [vpc.cidr_block for vpc in ec2_backends["123456789012"]["us-east-1"].vpcs.values()]
    """)


def test_it_is_healthy_once_it_answers(api):
    with urllib.request.urlopen(f"{api.spec.moto_url}/healthz") as answer:
        assert answer.status == 200


def test_a_service_without_a_model_is_refused_with_a_sentence(api):
    request = urllib.request.Request(
        api.spec.moto_url,
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=1/20261123/us-east-1/no-such-service/aws4_request"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 501
    assert "the lab has no such service" in caught.value.read().decode()
    caught.value.close()
