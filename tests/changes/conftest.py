"""A gate over files for the mechanics, and moto's server for what talks to AWS."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import exec_kubelet
import kube_server
import moto_server
import postgres_pair
from file_drills import FileDrill
from file_text import FileText

from blackstart.changes.clients import Clients
from blackstart.changes.dynamo_create import create
from blackstart.changes.dynamo_table import Table
from blackstart.changes.gate import Gate
from blackstart.changes.log import Drill
from blackstart.changes.logs import open_log
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import Change, new_id
from blackstart.changes.owner import here
from blackstart.changes.reach import Reach, unobserved
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.errors import Refused
from blackstart.scope import Scope, Target
from blackstart.testing import FakeClock

SCOPE = Scope(environment="test", accounts=("123456789012",), regions=("us-east-1",), required_tag="blackstart")


@dataclass
class Attended:
    """Stands where the reverter would; a drill may be left alone, too."""

    there: bool = True
    asked: list = field(default_factory=list)

    def start(self) -> None:
        pass

    def ensure(self, subject: str) -> None:
        self.asked.append(subject)
        if not self.there:
            raise Refused(subject, "the reverter did not start")

    def release(self) -> None:
        pass


@dataclass
class Desk:
    """A folder of files, and a gate for each drill that wants to write on them."""

    folder: Path
    log: SqliteLog
    clock: FakeClock
    clients: Clients
    passed: list = field(default_factory=list)
    watch: Attended = field(default_factory=Attended)

    def file(self, name: str, text: str = "old") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def change(self, path: Path, after: str = "new", **more) -> Change:
        tags = more.pop("tags", {"blackstart": "allowed"})
        where = {"account": "123456789012", "region": "us-east-1"}
        where |= {
            name: more.pop(name) for name in ("account", "region", "zone", "cluster", "namespace") if name in more
        }
        target = Target("file", str(path), **where, tags=tags)
        return Change(new_id(), "test.file", target, {"text": "old"}, {"text": after}, "write", "writing", **more)

    def gate(self, drill: str = "drill-1", scope: Scope = SCOPE, boundary: Callable = unobserved) -> Gate:
        return Gate(scope, Drill(drill, "a test", here(), "2026-01-01T00:00:00Z", ""), self.reach(boundary), self.watch)

    def reach(self, boundary: Callable = unobserved) -> Reach:
        def observed(at, changes):
            self.passed.append(at)
            boundary(at, changes)

        mirror = Mirror(self.folder, "drill", self.clock)
        return Reach(self.log, Kinds([FileText()]), self.clients, self.clock, mirror, boundary=observed)

    def states(self, drill: str = "drill-1") -> list[str]:
        return [entry.state.value for entry in self.log.entries(drill)]


@pytest.fixture
def desk(tmp_path, clients):
    log = SqliteLog(tmp_path / "log" / "undo.sqlite")
    (tmp_path / "files").mkdir()
    yield Desk(tmp_path / "files", log, FakeClock(), clients)
    log.close()


@pytest.fixture
def file_drill(desk):
    """A drill on the files of the desk, by processes of its own: ``file_drill(name, host)``."""
    made = []

    def make(name="drill-1", host=""):
        made.append(FileDrill(desk.log.url, desk.folder, name, host))
        return made[-1]

    yield make
    for each in made:
        each.clean()


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory):
    with moto_server.running(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres():
    """Two PostgreSQL servers, of which one follows the other; each test leaves them so."""
    with postgres_pair.running() as pair:
        yield pair


@pytest.fixture(scope="session")
def kept_clients():
    """Opening a client takes longer than most tests; they all reach the same moto."""
    kept = Clients()
    yield kept
    kept.close()


@pytest.fixture
def clients(moto_url, monkeypatch, kept_clients):
    """Clients of a moto that has forgotten everything."""
    moto_server.forget(moto_url)
    for name, value in moto_server.environ(moto_url).items():
        monkeypatch.setenv(name, value)
    return kept_clients


@pytest.fixture(scope="session")
def dynamo_endpoint(tmp_path_factory):
    """A moto that does one thing at a time."""
    with moto_server.running(tmp_path_factory.mktemp("dynamo")) as url:
        yield url


@pytest.fixture(scope="session")
def dynamo_tables(dynamo_endpoint):
    """What makes the tables; opening a client takes longer than a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moto_server.environ(dynamo_endpoint).items():
            patch.setenv(name, value)
        made = Table("us-east-1", "none")
    yield made
    made.close()


@pytest.fixture
def table_url(dynamo_endpoint, dynamo_tables, monkeypatch):
    """The URL of an undo log in a table of its own."""
    for name, value in moto_server.environ(dynamo_endpoint).items():
        monkeypatch.setenv(name, value)
    dynamo_tables.name = new_id()
    create(dynamo_tables)
    return dynamo_tables.url


@pytest.fixture
def aws_reach(tmp_path, clients):
    """A reach over all installed kinds, whose waiting takes no time."""
    log, clock = SqliteLog(tmp_path / "undo.sqlite"), FakeClock()
    yield Reach(log, Kinds(), clients, clock, Mirror(tmp_path, "drill", clock))
    log.close()


@pytest.fixture
def aws_gate(aws_reach):
    scope = SCOPE.model_copy(update={"whole_region": True})
    return Gate(scope, Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", ""), aws_reach, Attended())


@pytest.fixture
def vpc(clients):
    """A VPC called shop with a subnet in each of three zones, all opted in. Its id."""
    ec2 = clients.aws("ec2", "us-east-1")
    opted_in = {"Key": "blackstart", "Value": "allowed"}

    def tags(kind):
        return [{"ResourceType": kind, "Tags": [opted_in, {"Key": "Name", "Value": "shop"}]}]

    made = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    for number, zone in enumerate("abc"):
        ec2.create_subnet(
            VpcId=made,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
            TagSpecifications=tags("subnet"),
        )
    return made


@pytest.fixture(params=["sqlite", "dynamo"])
def url(request, tmp_path):
    return request.getfixturevalue("table_url") if request.param == "dynamo" else f"sqlite://{tmp_path}/s/undo.sqlite"


@pytest.fixture
def opened(url):
    """Opens the log once more, as another process would."""
    logs = []

    def opened():
        logs.append(open_log(url))
        return logs[-1]

    yield opened
    for log in logs:
        log.close()


@pytest.fixture
def log(opened):
    return opened()


@pytest.fixture
def other(opened, log):
    return opened()


@pytest.fixture(scope="session")
def kube_environ(tmp_path_factory):
    """What points a client at the lab's Kubernetes API: the cluster ``shop`` with a node in each of two zones."""
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        clients = Clients(environ=environ)
        kube_server.furnish(clients.kube("shop"))
        clients.close()
        yield environ


@pytest.fixture(scope="session")
def kube_clients(kube_environ):
    kept = Clients(environ=kube_environ)
    yield kept
    kept.close()


@pytest.fixture
def kube(kube_clients):
    return kube_clients.kube("shop")


@pytest.fixture
def kube_gate(tmp_path, kube_clients, kube):
    """Opens gates to the namespace ``shop``, whose waiting ``clock`` does: ``kube_gate(clock, largest_share=1)``."""
    log = SqliteLog(tmp_path / "undo.sqlite")

    def make(clock=None, **more):
        uid = kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        where = {"regions": ("us-east-1",), "clusters": ("shop",), "cluster_ids": {"shop": uid}}
        scope = Scope(environment="test", namespaces=("shop",), required_tag="blackstart", **where, **more)
        clock = clock or FakeClock()
        reach = Reach(log, Kinds(), kube_clients, clock, Mirror(tmp_path, "drill", clock))
        return Gate(scope, Drill("drill-1", "a test", here(), "2026-01-01T00:00:00Z", ""), reach, Attended())

    yield make
    log.close()


@pytest.fixture
def wide_gate(kube_gate):
    """A gate through which all pods and nodes may go at once."""
    return kube_gate(shares={"pod": 1.0, "node": 1.0})


@pytest.fixture
def kubelet(kube):
    with exec_kubelet.running(kube) as server:
        yield server
