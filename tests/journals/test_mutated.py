"""Journals that were truncated, bit-flipped, given other types or filled with markup: never a traceback. What is wrong
is named, and the rest is still shown."""

import json
import random
import re
import shutil
from datetime import UTC, datetime

import pytest

from blackstart.errors import BlackstartError
from blackstart.journals import chain, index, manifest
from blackstart.journals.measure import measure
from blackstart.journals.verdict import judge
from blackstart.reports import html

FEW, MANY = 60, 5000
DRAWN_EVERY = 30
"""The report is drawn of every so many, unless all are tried: it takes ten times as long as the rest."""
HOSTILE = '<img src=x onerror="alert(1)">\u202e\x00</script><script>alert(2)</script>'
VALUES = [
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    10**400,
    "",
    HOSTILE,
    [],
    {},
    [[]],
    {"": None},
    "2026-13-45T99:99Z",
    [HOSTILE] * 3,
]
MARKUP = re.compile(r"<img src=x|<script>alert")


@pytest.fixture(scope="module")
def whole(planted, tmp_path_factory):
    """A small journal that was closed."""
    plan = planted.replace(planted.SMALL, rate=8.0, end=40.0)
    folder = planted.plant(tmp_path_factory.mktemp("whole"), plan, databases=True)
    manifest.write(folder, chain.CLOSED, "drill", datetime(2026, 11, 23, 14, 10, tzinfo=UTC))
    return folder


def truncated(chance, text):
    return text[: chance.randrange(len(text))]


def flipped(chance, text):
    text = bytearray(text)
    for _ in range(chance.choice((1, 1, 8))):
        text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
    return bytes(text)


def spliced(chance, text):
    start, piece = chance.randrange(len(text)), chance.randbytes(chance.randrange(1, 40))
    return text[:start] + chance.choice((piece, HOSTILE.encode(), b"\n", b"{}", b"[" * 3000)) + text[start:]


def retyped(chance, text):
    """One value of a JSON file, or of a line, is another."""
    lines = text.split(b"\n")
    try:
        parts = [json.loads(text)]
        place = None
    except ValueError:
        place = chance.randrange(len(lines))
        try:
            parts = [json.loads(lines[place])]
        except ValueError:
            return flipped(chance, text)
    holders = list(_holders(parts))
    holder, key = chance.choice(holders)
    holder[key] = chance.choice(VALUES)
    told = json.dumps(parts[0]).encode()
    return told if place is None else b"\n".join([*lines[:place], told, *lines[place + 1 :]])


def _holders(value):
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield value, key
        yield from _holders(each)


HOW = {each.__name__: each for each in (truncated, flipped, spliced, retyped)}


def mutate(chance, folder):
    """Alter one file of ``folder``; which, and how, in words."""
    path = chance.choice(sorted(folder.iterdir()))
    how = chance.choice(list(HOW))
    if how == "truncated" and chance.random() < 0.2:
        path.unlink()
        return f"{path.name} removed"
    text = path.read_bytes()
    if not text:
        return f"{path.name} left"
    path.write_bytes(HOW[how](chance, text))
    return f"{path.name} {how}"


def look(folder, drawn):
    """Everything that reads a journal; the sentences of the errors that were raised on purpose."""
    told = []
    try:
        measured = measure(folder)
        judge(measured)
        told += measured.damaged
        if drawn:
            html.render(folder)
            assert not MARKUP.search((folder / "report.html").read_text(encoding="utf-8"))
    except BlackstartError as error:
        told.append(str(error))
    told += manifest.verify(folder).problems
    rows = index.read(folder.parent.parent)
    assert len(rows) <= 1
    return told


def each(whole, root, seeds, every):
    broken = []
    for seed in seeds:
        chance = random.Random(seed)
        folder = root / str(seed) / whole.parent.name / whole.name
        shutil.copytree(whole, folder)
        words = mutate(chance, folder)
        changed = any(
            not (folder / path.name).is_file() or (folder / path.name).read_bytes() != path.read_bytes()
            for path in whole.iterdir()
        )
        try:
            told = look(folder, seed % every == 0)
            if changed and not told:
                broken.append(f"{seed}: {words}: nothing is told")
        except Exception as error:
            error.add_note(f"seed {seed}: {words}")
            raise
        shutil.rmtree(root / str(seed))
    return broken


def test_a_mutated_journal_is_never_a_traceback(whole, tmp_path):
    assert each(whole, tmp_path, range(FEW), DRAWN_EVERY) == []


@pytest.mark.sweep
@pytest.mark.timeout(1800)
def test_five_thousand_mutated_journals_are_never_a_traceback(whole, tmp_path):
    assert each(whole, tmp_path, range(MANY), 1) == []
