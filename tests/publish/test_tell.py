"""Nobody who is told can fail, hold up or change a drill; what became of it is in its journal."""

import json
import shutil
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from answering import break_off, drip, garbage, hang, say

from blackstart import recovery
from blackstart.clock import SystemClock
from blackstart.journal_settings import Publish
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.publish import sending, tell
from blackstart.publish.parties import Party
from blackstart.publish.sending import Limits

CLOCK, SHORT = SystemClock(), Limits(0.3, 0.8)
TOKEN = "glsa_very-secret"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sending, "WAITS", (0.01, 0.02))
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)


@pytest.fixture
def mine(folder, tmp_path):
    """A copy of the planted drill, to write into."""
    return Path(shutil.copytree(folder, tmp_path / "journals" / "region-loss" / folder.name))


def everybody(server, tmp_path):
    (tmp_path / "slack").write_text(f"{server.url}/services/T0/B0/s3cret")
    (tmp_path / "metrics").mkdir()
    return {
        "grafana": {"url": server.url, "token_env": "GRAFANA_TOKEN"},
        "textfile": {"folder": str(tmp_path / "metrics")},
        "pushgateway": {"url": server.url},
        "opentelemetry": {"url": server.url},
        "webhook": [{"name": "one", "url": server.url}, {"name": "two", "url": f"{server.url}/two"}],
        "slack": [{"url_file": str(tmp_path / "slack")}],
    }


def lines(folder):
    return [json.loads(line) for line in (folder / tell.RECORD).read_text().splitlines()]


def kind(handler, number):
    """What each of them wants to hear."""
    answers = {"GET": b"[]", "/services/T0/B0/s3cret": b"ok"}
    say(handler, 200, answers.get(handler.command) or answers.get(handler.path) or b"{}")


def tell_tale(handler, number):
    """Repeats every secret that it was given."""
    say(handler, 500, f"{handler.path} {handler.headers['Authorization']}".encode())


def test_everybody_is_told_and_the_journal_says_so(server, mine, tmp_path):
    server.answer = kind
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    told = tell.ended(mine, Publish.model_validate(everybody(server, tmp_path)), CLOCK)
    assert [each.problem for each in told] == [""] * 7
    assert [line["to"] for line in lines(mine)] == [each.to for each in told]
    assert all(line["told"] for line in lines(mine))
    assert not list(tell.problems(mine))
    assert {path.name: path.read_bytes() for path in mine.iterdir() if path.name != tell.RECORD} == before


@pytest.mark.parametrize("answer", [hang, drip, garbage, break_off, "refused", "error"])
def test_whatever_they_do_the_drill_goes_on_in_time(server, mine, tmp_path, answer):
    """All seven at once: no longer than for one; and their problems are in the journal, without any secret."""
    server.answer = {"error": tell_tale}.get(answer, answer)
    settings = everybody(server, tmp_path)
    if answer == "refused":
        settings = json.loads(json.dumps(settings).replace(server.url, "http://127.0.0.1:9"))
        (tmp_path / "slack").write_text("http://127.0.0.1:9/services/s3cret")
    measured = measure(mine)
    judged = measured, judge(measured)
    began = CLOCK.monotonic()
    told = tell.ended(mine, Publish.model_validate(settings), CLOCK, judged, limits=SHORT)
    assert CLOCK.monotonic() - began < SHORT.everything + 1.0
    problems = {each.who: each.problem for each in told if each.problem}
    assert {each.to for each in told if not each.problem} == {"textfile"}
    assert len(problems) == 6
    assert list(tell.problems(mine)) == list(problems.values())
    text = (mine / tell.RECORD).read_text()
    assert TOKEN not in text
    assert "s3cret" not in text
    assert all("was not told of the drill: " in problem and "\n" not in problem for problem in problems.values())
    if answer is drip:
        assert "took longer than 0.8 s" in problems["Slack (slack)"]


def test_a_defect_of_ours_does_not_fail_a_drill(mine, monkeypatch):
    """One who is told breaks off with an error that nobody expected."""

    def broken(told, sender):
        raise RuntimeError("a defect")

    seen = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    monkeypatch.setattr(tell.parties, "of", lambda publish, moment: [Party("grafana", "Grafana", broken)])
    (told,) = tell.ended(mine, Publish.model_validate({"grafana": {"url": "http://g"}}), CLOCK)
    assert "telling it broke off" in told.problem
    assert [each.exc_type for each in seen] == [RuntimeError]


def test_a_journal_that_cannot_be_written_is_no_obstacle(server, mine):
    (mine / tell.RECORD).mkdir()
    (told,) = tell.ended(mine, Publish.model_validate({"pushgateway": {"url": server.url}}), CLOCK)
    assert not told.problem


def test_the_start_is_told_beside_the_drill(server, mine):
    server.answer = hang
    publish = Publish.model_validate({"grafana": {"url": server.url}, "pushgateway": {"url": server.url}})
    began = CLOCK.monotonic()
    thread = tell.begun(mine, publish, CLOCK, SHORT)
    assert CLOCK.monotonic() - began < 0.2
    assert thread.daemon
    thread.join(5)
    (line,) = lines(mine)
    assert (line["to"], line["moment"], line["told"]) == ("grafana", "started", False)


def test_who_wants_to_know_nothing_is_asked_nothing(mine):
    only_metrics = Publish.model_validate({"pushgateway": {"url": "http://127.0.0.1:9"}})
    assert tell.begun(mine, Publish(), CLOCK) is None
    assert tell.begun(mine, only_metrics, CLOCK) is None
    assert tell.ended(mine, Publish(), CLOCK) == ()
    assert not (mine / tell.RECORD).exists()


def test_a_problem_is_over_when_telling_again_works(server, mine):
    publish = Publish.model_validate({"opentelemetry": {"url": server.url}})
    server.answer = garbage
    tell.ended(mine, publish, CLOCK, limits=SHORT)
    assert len(list(tell.problems(mine))) == 1
    server.answer = kind
    tell.ended(mine, publish, CLOCK)
    assert list(tell.problems(mine)) == []
    (mine / tell.RECORD).write_text("not JSON\n{}\n")
    assert list(tell.problems(mine)) == []


@pytest.fixture
def configured(server, tmp_path, monkeypatch):
    server.answer = kind
    table = f'[publish.pushgateway]\nurl = "{server.url}"\n[[publish.webhook]]\nname = "x"\nurl = "{server.url}/x"\n'
    config = tmp_path / "blackstart.toml"
    config.write_text(
        '[scope]\nenvironment = "lab"\n[service]\nname = "orders"\nhost = "h"\nport = 80\nhome_region = "r"\n' + table
    )
    monkeypatch.setenv("BLACKSTART_CONFIG", str(config))


def blackstart(capsys, *arguments):
    """Exit code, and what it said."""
    from blackstart import cli

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["blackstart", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.usefixtures("configured")
def test_by_hand(server, mine, capsys):
    code, out, _ = blackstart(capsys, "publish", mine, "--to", "pushgateway", "--json")
    assert code == 0
    assert [(each["to"], each["told"]) for each in json.loads(out)] == [("pushgateway", True)]
    assert [got.method for got in server.got] == ["PUT"]
    server.answer = lambda handler, number: say(handler, 400, b"no")
    code, out, _ = blackstart(capsys, "publish", mine)
    assert code == 1
    assert out.count("was not told of the drill: it answered 400: no") == 2


@pytest.mark.usefixtures("configured")
def test_by_hand_with_what_cannot_be_used(mine, tmp_path, capsys):
    for arguments, said in (
        ((mine, "--to", "pager"), "'pager' is none of grafana"),
        ((mine, "--to", "grafana"), "publish.grafana"),
        ((tmp_path,), "not the journal of a drill"),
        ((), "name a journal folder"),
    ):
        code, _, err = blackstart(capsys, "publish", *arguments)
        assert code == 2
        assert said in err
    code, out, _ = blackstart(capsys, "publish", "--dashboard")
    assert code == 0
    assert json.loads(out)["uid"] == "blackstart-drills"


@pytest.mark.usefixtures("configured")
def test_who_puts_back_a_killed_drill_tells_of_it(server, mine):
    recovery._tell(mine, CLOCK)
    assert sorted(got.path for got in server.got)[-1] == "/x"


def test_without_a_configuration_nobody_is_told(mine, tmp_path, monkeypatch):
    monkeypatch.setenv("BLACKSTART_CONFIG", str(tmp_path / "none.toml"))
    recovery._tell(mine, CLOCK)
    assert not (mine / tell.RECORD).exists()
