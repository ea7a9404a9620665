"""What `blackstart recover` says of things that no undo knew of, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from blackstart import recovery
from blackstart.changes.clients import Clients
from blackstart.changes.leftovers import Residue
from blackstart.changes.log import Drill, Fault, Mark
from blackstart.changes.model import TAG, Change, State
from blackstart.changes.owner import here
from blackstart.changes.recover import Recovery
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.changes.undo import UndoReport
from blackstart.scope import Target
from blackstart.testing import FakeClock

sys.path.append(str(Path(__file__).parent))
import moto_server

MINE, DRILL = "bs-0123456789ab", "drill-1"


@pytest.fixture(scope="module")
def moto_url(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def ec2(moto_url, tmp_path, monkeypatch):
    """EC2 of a moto, which this process's environment names, beside an undo log with a drill that is over."""
    moto_server.forget(moto_url)
    (tmp_path / "blackstart.toml").write_text(f'undo_log = "sqlite://{tmp_path}/undo.sqlite"\n')
    for name, value in moto_server.environ(moto_url).items() | {
        ("BLACKSTART_CONFIG", str(tmp_path / "blackstart.toml"))
    }:
        monkeypatch.setenv(name, value)
    log = SqliteLog(tmp_path / "undo.sqlite")
    target = Target("vpc", "vpc-1", account="123456789012", region="us-east-1")
    change = Change(MINE, "ec2.deny_all_acl", target, {"exists": False}, {"exists": True}, "new ACL", "deleting it")
    log.append(Drill(DRILL, "a test", dead(), "2026-01-01T00:00:00Z", ""), Fault("a test", 0.0), [change])
    log.mark(DRILL, {MINE: Mark(State.VERIFIED)})
    log.close()
    clients = Clients()
    yield clients.aws("ec2", "us-east-1")
    clients.close()


def dead():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = here(process.pid)
    process.kill()
    process.communicate()
    return owner


def left_acl(ec2, change):
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    tags = [{"ResourceType": "network-acl", "Tags": [{"Key": TAG, "Value": change}]}]
    return ec2.create_network_acl(VpcId=vpc, TagSpecifications=tags)["NetworkAcl"]["NetworkAclId"]


def recover():
    return recovery.put_back(DRILL, FakeClock())


def test_a_drill_that_left_nothing_is_told_so(ec2):
    done = recover()
    assert "  no residue in us-east-1 (EC2 tags)" in recovery.describe(done).splitlines()
    assert done.complete


def test_what_the_drill_left_is_named_and_the_drill_is_not_put_back_until_it_is_deleted(ec2):
    acl = left_acl(ec2, MINE)
    done = recover()
    assert f"  residue: network-acl {acl} in us-east-1, of change {MINE} (ours)" in recovery.describe(done).splitlines()
    assert recovery.as_json(done)["residue"][DRILL]["found"][0]["id"] == acl
    assert not done.complete
    ec2.delete_network_acl(NetworkAclId=acl)
    assert recover().complete


def test_what_nobody_holds_is_named_but_not_this_drills_to_put_back(ec2):
    acl = left_acl(ec2, "bs-of-no-log")
    done = recover()
    assert f"  residue: network-acl {acl} in us-east-1, of change bs-of-no-log (unknown)" in recovery.describe(done)
    assert done.complete


def test_a_region_that_does_not_answer_is_told():
    done = Recovery((UndoReport(DRILL),), residue={DRILL: Residue(problems=("us-east-1 (EC2 tags): no answer",))})
    assert "  whether residue is left is not known: us-east-1 (EC2 tags): no answer" in recovery.describe(done)
