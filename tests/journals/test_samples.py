"""The journals in journals/samples/ are real ones; what the docs say of them holds, and nobody has touched them."""

from pathlib import Path

import pytest

from blackstart.journals import index, manifest
from blackstart.journals.measure import measure
from blackstart.journals.verdict import Word, judge

SAMPLES = Path(__file__).resolve().parents[2] / "journals" / "samples"
HELD = {
    "pod-kill": Word.PASSED,
    "service-to-zero": Word.FAILED,
    "zone-network-loss": Word.INCONCLUSIVE,
    "region-loss": Word.PASSED,
}


def sample(experiment: str) -> Path:
    (folder,) = (SAMPLES / experiment).iterdir()
    return folder


@pytest.mark.parametrize("experiment", HELD)
def test_a_sample_is_as_it_was_when_it_was_closed(experiment):
    found = manifest.verify(sample(experiment))
    assert (found.closed, found.problems) == (True, ())


@pytest.mark.parametrize(("experiment", "word"), HELD.items())
def test_a_sample_is_judged_today_as_it_was_then(experiment, word):
    measured = measure(sample(experiment), cut_off=experiment == "zone-network-loss")
    assert judge(measured).word is word


def test_all_samples_are_rows_of_the_history(tmp_path):
    root = tmp_path / "samples"
    root.mkdir()
    for experiment in HELD:
        (root / experiment).symlink_to(SAMPLES / experiment)
    rows = {row.experiment: row for row in index.read(root)}
    assert {name: row.verdict for name, row in rows.items()} == {name: str(word) for name, word in HELD.items()}
    assert [name for name, row in rows.items() if row.cut_off] == ["zone-network-loss"]
    assert not any(row.problem for row in rows.values())
    assert rows["service-to-zero"].objectives["longest_outage_seconds"]["met"] is False
    assert rows["region-loss"].lost_writes == 2
