"""What a lab tells of itself: ``status.json`` in its folder, and the environment for commands that use it.

The folder is ``<temporary folder>/blackstart-<uid>/<name>``; beside it lies ``<name>.lock``, held while the lab lives
and until its last process is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from blackstart.errors import ConfigInvalid, LabError

DEFAULT_NAME = "lab"
FILE, KUBECONFIG, SETTINGS = "status.json", "kubeconfig", "blackstart.toml"


@dataclass(frozen=True)
class Part:
    """One part: ``region`` and ``zone`` are empty for what belongs to none, ``pid`` 0 for what has ended.

    ``kind`` is what it is made of: postgres, redis, envoy, aws, dns, kubernetes, links, automation, orders …
    ``state`` is ``running``, ``ready``, ``down``, or for data stores ``primary``, ``standby`` or ``replica``.
    """

    name: str
    kind: str
    region: str
    zone: str
    pid: int
    address: str
    state: str


@dataclass(frozen=True)
class RegionEndpoints:
    """How to reach what belongs to one region; addresses are ``ip:port``."""

    gateway: str
    kubeconfig: str
    context: str
    kubernetes: str
    postgres: str
    database: str
    redis: str


@dataclass(frozen=True)
class Endpoints:
    """How to reach a lab; ``service`` and ``edge`` are names to resolve at ``dns``, with ``port``.

    ``aws_admin`` is the router's own API and an AWS endpoint that no control-plane fault reaches; ``admin`` the lab's.
    """

    admin: str
    dns: str
    service: str
    edge: str
    port: int
    aws: str
    aws_admin: str
    links_admin: str
    automation: str
    regions: Mapping[str, RegionEndpoints] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """A lab: ``state`` is ``starting`` or ``up``; ``pid`` the supervisor's; ``resident_bytes`` and
    ``proportional_bytes`` are its memory, with shared pages counted in every process, and once (0: not known here)."""

    name: str
    folder: str
    state: str
    pid: int
    started: str
    start_seconds: float
    home_region: str
    endpoints: Endpoints
    parts: tuple[Part, ...] = ()
    resident_bytes: int = 0
    proportional_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"format": 1} | asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Status:
        fields = {name: value for name, value in data.items() if name != "format"}
        reach = dict(fields["endpoints"])
        reach["regions"] = {name: RegionEndpoints(**one) for name, one in reach["regions"].items()}
        fields["endpoints"] = Endpoints(**reach)
        fields["parts"] = tuple(Part(**part) for part in fields["parts"])
        return cls(**fields)


def root() -> Path:
    """The folder for all labs of this user, made if missing; LabError if somebody else made it."""
    folder = Path(tempfile.gettempdir()) / f"blackstart-{os.getuid()}"
    # passable for the account that PostgreSQL runs as, readable for nobody else
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o711)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise LabError(
            "use the folder for labs", f"{folder} belongs to user {seen.st_uid}", "set TMPDIR to another folder"
        )
    return folder


def folder_of(name: str) -> Path:
    """The folder of the lab called ``name``, whether it exists or not; ConfigInvalid if that is no name for one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise ConfigInvalid("lab", name, "a name has up to 40 lower-case letters, digits and dashes")
    return root() / name


def cache() -> Path:
    """A folder for what labs make once and copy; it outlives them."""
    folder = root() / ".cache"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


def lock_file(name: str) -> Path:
    """The lock file of lab ``name``; the warden removes it as the very last thing of a lab."""
    return folder_of(name).with_name(f"{name}.lock")


def lock(name: str) -> int | None:
    """Descriptor of the held lock file of lab ``name``; None if that lab lives."""
    path = lock_file(name)
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            return None
        # the file that we hold may have been removed between our opening and locking it
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(held).st_ino == path.stat().st_ino:
                return held
        os.close(held)


def lives(name: str) -> bool:
    """Whether the lab called ``name`` is up, starting, or being cleaned away."""
    try:
        seen = os.open(lock_file(name), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(seen, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(seen)
    return False


def write(folder: Path, status: Status) -> None:
    """Replace ``status.json`` in one step."""
    draft = folder / f"{FILE}.new"
    draft.write_text(json.dumps(status.to_json(), indent=1), encoding="utf-8")
    draft.replace(folder / FILE)


def read(name: str) -> Status | None:
    """The status of a lab as last written, or None if there is no such lab."""
    try:
        return Status.from_json(json.loads((folder_of(name) / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def environment(status: Status) -> dict[str, str]:
    """Variables that point kubectl, aws, boto3, chaos and blackstart to the lab."""
    return {
        "AWS_ENDPOINT_URL": status.endpoints.aws,
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_DEFAULT_REGION": status.home_region,
        "AWS_REGION": status.home_region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "KUBECONFIG": str(Path(status.folder) / KUBECONFIG),
        "BLACKSTART_CONFIG": str(Path(status.folder) / SETTINGS),
        "BLACKSTART_LAB": status.endpoints.admin,
        "BLACKSTART_REGION_FAULTS": "lab.data_stores,lab.control_plane",
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
