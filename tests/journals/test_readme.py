"""journals/README.md tells a stranger enough to read a journal; so its own script must run, and name every file."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from blackstart.journals.close import close
from blackstart.reports.html import render

README = Path(__file__).parent.parent.parent / "journals" / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="needs the source tree")


def test_the_script_in_the_readme_reads_a_journal(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    (script,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    script = script.replace("journals/region-loss/20261123T140300Z", str(folder))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(script, "README.md", "exec"), {})
    verdict, _ = close(folder)
    assert verdict.users is not None
    assert said.getvalue().startswith(f"{len(verdict.users.samples)} requests, ")


def test_every_file_and_every_key_of_a_closed_journal_is_in_the_readme(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL)
    close(folder)
    render(folder)
    text = README.read_text(encoding="utf-8")
    named = {file.name for file in folder.iterdir()}
    for name in ("drill.json", "observer.json", "restoration.json", "verdict.json"):
        named |= set(json.loads((folder / name).read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []
