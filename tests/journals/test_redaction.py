"""No secret and no personal data of the usual shapes reaches a journal, and nothing else is taken out of it."""

import io
import json
import logging
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart import redaction
from blackstart.changes.log import Mark
from blackstart.changes.mirror import Mirror
from blackstart.changes.model import State
from blackstart.clock import SystemClock
from blackstart.journals import folder as folders
from blackstart.journals.close import close
from blackstart.load import record as load_record
from blackstart.observer.events import EventLog
from blackstart.reports import html

ACCESS, SECRET = "AKIAQ7D2MXB4KZT5WPLN", "kq8Zt/3mR+vYw2LxN0pBf7HcJdGs5TaUeEi9oQ1M"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7hunter2\nabcd\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    f"signed with {ACCESS} and {SECRET}": (ACCESS, SECRET),
    f"aws_secret_access_key = {SECRET}": (SECRET,),
    "ASIAQ7D2MXB4KZT5WPLN": ("ASIAQ7D2MXB4KZT5WPLN",),
    "postgresql://admin:hunter2@db.internal:5432/orders": ("hunter2",),
    "redis://:hunter2@cache:6379/0": ("hunter2",),
    "host=db user=app password=hunter2 dbname=orders": ("hunter2",),
    "host=db password='hun ter2' dbname=orders": ("hun ter2",),
    'said {"password": "hunter2", "user": "app"}': ("hunter2",),
    'said "{\\"apiKey\\": \\"hunter2hunter2\\"}"': ("hunter2",),
    "kubectl --token hunter2hunter2 get pods": ("hunter2",),
    "PGPASSWORD=hunter2 psql": ("hunter2",),
    "GET /orders?access_token=hunter2&page=2": ("hunter2",),
    "Authorization: Bearer abc.def-ghi123456789": ("abc.def-ghi123456789",),
    "authorization: Basic YWRtaW46aHVudGVyMg==": ("YWRtaW46aHVudGVyMg",),
    f"the token {JWT} is late": (JWT,),
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": ("ghp_16C7",),
    "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy": ("pdFZKVeTuE8sk7oOcHrzqqgy",),
    "https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/abcdefghijklmnopqrstuvwx": ("abcdefghijkl",),
    PEM: ("MIIEowIBAAKCAQEA", "abcd\n"),
    "client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ==": ("LS0tLS1CRUdJTiBSU0E",),
    "write to jane.doe@example.org about it": ("jane.doe",),
    "paid with 4111 1111 1111 1111 today": ("4111 1111",),
    "paid with 5555555555554444": ("5555555555554444",),
    "from DE89 3704 0044 0532 0130 00": ("3704 0044",),
    "to GB82WEST12345698765432": ("GB82WEST",),
}
KEPT = [
    "bs-000000000001", "subnet-0a1b2c3d4e5f67890", "acl-deny", "550e8400-e29b-41d4-a716-446655440000", "9f2c" * 16,
    "da39a3ee5e6b4b0d3255bfef95601890afd80709", "registry/app@sha256:" + "0f" * 32, "123456789012",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf", "ClientToken=bs-0123456789ab",
    "nextToken: AAAAbbbb", "2026-11-23T14:03:00.250Z", "1763904180.250123", "ec2:ReplaceNetworkAclAssociation",
    "basic authentication is off", "http://127.0.0.1:8080/products/{number}", "password: required", "1234567890123456",
    "max_tokens=5", "subnet subnet-0 (us-east-1a): network ACL acl-1 → deny all", "/orders?prefix={prefix}&after=7",
]  # fmt: skip
TELL = redaction.Redactor()


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_replaced_by_what_it_was(text):
    told = TELL.text(text)
    assert "[redacted: " in told
    assert [secret for secret in SECRETS[text] if secret in told] == []
    assert TELL.text(told) == told


@pytest.mark.parametrize("text", KEPT)
def test_ids_and_hashes_and_plain_words_stay(text):
    assert TELL.text(text) == text
    assert TELL.value({"summary": text, "before": {"acl": text}}) == {"summary": text, "before": {"acl": text}}


def test_what_a_name_tells_is_hidden_whatever_it_looks_like():
    value = {
        "db": {"password": "x1", "user": "app", "passwords": ["y2"]},
        "env": [{"name": "API_KEY", "value": "z3"}, {"name": "REGION", "value": "us-east-1"}],
        "secret": {"name": "orders-db", "value": "w4"},
        "object": {"kind": "Secret", "metadata": {"name": "db"}, "data": {"dsn": "djU="}},
        "pin": {"SecretAccessKey": SECRET, "AccessKeyId": ACCESS, "SessionToken": "v6"},
        "key": [ACCESS, SECRET],
        "tokens": 3,
        "card_number": 4111111111111111,
        "token": "arn:aws:secretsmanager:us-east-1:123456789012:secret:x",
    }
    text = json.dumps(TELL.value(value))
    assert [secret for secret in ("x1", "y2", "z3", "w4", "djU", "v6", ACCESS, SECRET, "41111") if secret in text] == []
    for kept in ('"user": "app"', "us-east-1", "orders-db", '"tokens": 3', ":secret:x"):
        assert kept in text, kept


@settings(max_examples=15, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_it_takes_any_json_and_does_nothing_more_the_second_time(value):
    once = TELL.value(value)
    assert TELL.value(once) == once


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab1 :=@/\"'-.\\AKIeyJ", max_size=200))
def test_text_that_was_redacted_stays_as_it_is(text):
    once = TELL.text(text)
    assert TELL.text(once) == once


@pytest.mark.parametrize(
    "piece", ["a@", "1 ", "password=", 'a="', "eyJ.", "AKIA", "://a:", "-----BEGIN PRIVATE KEY-----"]
)
def test_the_time_that_it_takes_is_linear(piece):
    def took(size):
        text = piece * (size // len(piece))
        began = time.process_time()
        TELL.text(text)
        return time.process_time() - began

    took(20_000)
    small, large = took(20_000), took(160_000)
    assert large < 8 * 4 * small + 0.1


def test_own_patterns_are_kept_out_too(planted, tmp_path):
    folder = folders.create(tmp_path, planted.replace(planted.drill(planted.SMALL), redact=(r"ACME-\d+",)))
    EventLog(folder, SystemClock(), 0.0).add("note", text="customer ACME-4711 called")
    folders.write_json(folder / "verdict.json", {"reason": "ACME-4711"})
    assert "4711" not in "".join(path.read_text() for path in folder.iterdir())
    assert folders.read_drill(folder).redact == (r"ACME-\d+",)


def test_seeded_secrets_appear_nowhere_in_a_journal(planted, tmp_path):
    """Through every writer of texts: the drill's own, changes, events, proofs, Chaos Toolkit's journal, load, logs."""
    everything = [*SECRETS]
    said = " \n ".join(everything)
    folder = planted.plant(
        tmp_path, planted.SMALL, title=said, service=said, objectives={}, toolkit={"status": "completed",
        "run": [{"activity": {"arguments": {"password": "hunter2"}}, "exception": everything, "output": said}]},
    )  # fmt: skip
    events = EventLog(folder, SystemClock(), 0.0)
    for each in everything:
        events.add("stop", reason=each)
        events.add("alert", name="Slow", problem={"said": [each]})
    mirror = Mirror(folder, "drill", SystemClock())
    change = planted.replace(
        planted.change(7), before={"dsn": said, "env": everything}, after={"x": said}, summary=said
    )
    mirror.planned([change])
    mirror.marked({change.id: Mark(State.CONFLICT, said)})
    folders.append_all(folder, folders.CALLS, [{"by": "platform", "problem": each} for each in everything])
    folders.append(folder, "published.jsonl", {"problem": said})
    load_record.append(folder, {"ended": said})
    for name in ("restoration.json", "monitoring.json"):
        folders.write_json(folder / name, {"reason": said, "doubts": everything})
    close(folder)
    html.render(folder)
    _log(folder, everything)
    for path in folder.iterdir():
        text = path.read_bytes().decode("utf-8", "replace") + json.dumps(_parsed(path), ensure_ascii=False)
        found = [secret for secrets in SECRETS.values() for secret in secrets if secret in text]
        assert found == [], (path.name, found)
    told = [json.loads(line) for line in (folder / "changes.jsonl").read_text().splitlines()]
    assert change.id in {line["change"] for line in told}
    assert change.before["dsn"] == said  # what the undo log has of it is the truth


def _parsed(path):
    if path.suffix not in (".json", ".jsonl"):
        return None
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def _log(folder, everything):
    """A process of the drill that logs, prints and dies of an error, all of it full of secrets."""
    program = (
        "import json, logging, sys, pathlib\n"
        "from blackstart import redaction\n"
        f"redaction.guard_stderr(pathlib.Path({str(folder)!r}))\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "said = json.load(sys.stdin)\n"
        "for each in said: logging.error('%s', each); print(each, file=sys.stderr)\n"
        "raise ValueError(' '.join(said))\n"
    )
    with (folder / "observer.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", program], input=json.dumps(everything).encode(), stderr=log, check=False)
    assert "ValueError" in (folder / "observer.log").read_text()


def test_a_log_holds_a_private_key_back_until_it_is_over():
    out = io.StringIO()
    stream = redaction.RedactedStream(out, TELL)
    handler = logging.StreamHandler(stream)
    handler.emit(logging.makeLogRecord({"msg": "before"}))
    for line in PEM.splitlines():
        stream.write(line + "\n")
    stream.write("after pass")
    stream.write("word=hunter2\n")
    stream.write("the rest")
    stream.finish()
    assert out.getvalue() == "before\n[redacted: private key]\nafter password=[redacted: password]\nthe rest"
