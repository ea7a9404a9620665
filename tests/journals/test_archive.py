"""The copy in an S3 bucket, against moto: complete, checked, locked, and never overwritten."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from moto import mock_aws
from moto.backends import get_backend

from blackstart.access import Aws
from blackstart.changes.clients import Clients
from blackstart.clock import SystemClock
from blackstart.errors import NotArchived
from blackstart.journal_settings import Archive
from blackstart.journals import archive, archiving, chain, fetching, manifest
from blackstart.journals import folder as folders

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)
BUCKET, REGION = "shop-drills", "eu-west-1"
WANTED = Archive(url=f"s3://{BUCKET}/blackstart", region=REGION, object_lock_days=30, mode="compliance")


@pytest.fixture(scope="module")
def clients():
    """One for all tests: a session takes half a second to open."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setattr("os.environ", {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})
        found = Clients(attempts=1)
        found.aws("s3", REGION)
        yield found


@pytest.fixture
def s3(clients, monkeypatch):
    monkeypatch.setattr(archive, "Clients", lambda **_: clients)
    monkeypatch.setattr(fetching, "Clients", lambda **_: clients)
    client = clients.aws("s3", REGION)
    where = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    yield client
    get_backend("s3")["123456789012"]["aws"].reset()


@pytest.fixture
def closed(planted, tmp_path):
    folder = planted.plant(tmp_path / "journals", planted.SMALL, end=12.0, undo_at=None, rate=10.0)
    manifest.write(folder, chain.CLOSED, "drill", NOW)
    return folder


def keys(s3):
    return sorted(each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()))


def test_every_file_is_there_with_its_checksum_and_locked(s3, closed):
    kept = archive.keep(closed, WANTED, SystemClock())
    assert kept.problems == ()
    prefix = f"blackstart/region-loss/{closed.name}/"
    assert keys(s3) == sorted(prefix + path.name for path in closed.iterdir() if path.name != "archive.json")
    head = s3.head_object(Bucket=BUCKET, Key=f"{prefix}samples.bin", ChecksumMode="ENABLED")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert (head["ObjectLockRetainUntilDate"] - datetime.now(UTC)).days in (29, 30)
    assert json.loads((closed / "archive.json").read_text())["uploaded"] == list(kept.uploaded)
    assert manifest.verify(closed).exit_code == 0


def test_a_second_time_nothing_is_sent_and_what_changed_goes_beside(s3, closed):
    archive.keep(closed, WANTED, SystemClock())
    again = archive.keep(closed, WANTED, SystemClock())
    assert (again.uploaded, again.problems) == ((), ())
    folders.append(closed, folders.CHANGES, {"state": "verified", "by": "recover"})
    manifest.write(closed, chain.RECOVERED, "recover", NOW)
    later = archive.keep(closed, WANTED, SystemClock())
    assert sorted(later.uploaded) == ["chain.jsonl", "changes.jsonl", "manifest.json"]
    versions = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == len({each["Key"] for each in versions})  # so none was overwritten


def test_it_comes_back_as_it_was_last(s3, closed, tmp_path):
    archive.keep(closed, WANTED, SystemClock())
    folders.append(closed, folders.CHANGES, {"state": "verified", "by": "recover"})
    manifest.write(closed, chain.RECOVERED, "recover", NOW)
    kept = archive.keep(closed, WANTED, SystemClock())
    back = fetching.fetch(kept.url, tmp_path / "back", REGION)
    assert manifest.verify(back).exit_code == 0
    for path in closed.iterdir():
        if path.name != "archive.json":
            assert (back / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(NotArchived, match="there already"):
        fetching.fetch(kept.url, tmp_path / "back", REGION)


def test_what_was_altered_in_the_bucket_is_found_when_it_comes_back(s3, closed, tmp_path):
    kept = archive.keep(closed, WANTED.model_copy(update={"object_lock_days": 0}), SystemClock())
    key = f"blackstart/region-loss/{closed.name}/samples.bin"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"nothing")
    assert archiving.bring(kept.url, tmp_path / "back", REGION) == 1


def test_a_bucket_that_is_not_there_is_told_and_the_drill_goes_on(s3, closed, caplog):
    nowhere = WANTED.model_copy(update={"url": "s3://another-bucket/x"})
    archiving.conclude(closed, chain.RECOVERED, "drill", SystemClock(), nowhere)
    assert "`blackstart journal archive" in caplog.text
    assert json.loads((closed / "archive.json").read_text())["problems"]
    assert archiving.run(closed, nowhere) == 1
    assert archiving.run(closed, WANTED) == 0


@pytest.mark.parametrize("key", ["../evil", "sealed-1/../../evil", "a//b"])
def test_keys_that_lead_elsewhere_are_refused(s3, closed, tmp_path, key):
    kept = archive.keep(closed, WANTED, SystemClock())
    s3.put_object(Bucket=BUCKET, Key=f"blackstart/region-loss/{closed.name}/{key}", Body=b"")
    with pytest.raises(NotArchived, match="is not one of a journal"):
        fetching.fetch(kept.url, tmp_path / "back", REGION)
    assert not any((tmp_path / "back").glob("**/evil"))


@pytest.mark.parametrize("url", ["s3://b", "s3://b/one", "https://b/x/y", "s3://b/x/../y"])
def test_what_is_not_the_place_of_a_journal_is_refused(tmp_path, url):
    with pytest.raises(NotArchived):
        fetching.fetch(url, tmp_path, REGION)


def test_the_permissions_are_as_narrow_as_what_is_done():
    found = {need.action: need for need in archive.needs(WANTED) if isinstance(need, Aws)}
    assert set(found) == {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:PutObjectRetention"}
    assert found["s3:PutObject"].resources == ("arn:aws:s3:::shop-drills/blackstart/*",)
    assert archive.needs(Archive()) == ()


def test_a_copy_needs_a_region(tmp_path):
    with pytest.raises(ValueError, match="names no region"):
        Archive(url="s3://bucket/x")


def test_a_failed_upload_leaves_no_manifest_without_its_files(s3, closed, monkeypatch):
    put = s3.put_object

    def failing(**asked):
        if asked["Key"].endswith("samples.bin"):
            raise OSError("the line broke")
        return put(**asked)

    with monkeypatch.context() as broken:
        broken.setattr(s3, "put_object", failing, raising=False)
        kept = archive.keep(closed, WANTED, SystemClock())
    assert kept.problems == ("samples.bin: the line broke",)
    assert not any(key.endswith("manifest.json") for key in keys(s3))
    assert archive.keep(closed, WANTED, SystemClock()).problems == ()
    body = s3.get_object(Bucket=BUCKET, Key=f"blackstart/region-loss/{closed.name}/samples.bin")["Body"].read()
    assert hashlib.sha256(body).digest() == hashlib.sha256((closed / "samples.bin").read_bytes()).digest()
