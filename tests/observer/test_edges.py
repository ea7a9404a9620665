"""When outages began and ended, against thousands that are reckoned: at any phase, of any sort, however long serving
takes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from blackstart.observer import edges
from blackstart.observer.streams import streams

sys.path.append(str(Path(__file__).parents[1] / "truth"))
import truth_judge as judge
import truth_model as model
import truth_plan as plans
from truth_plan import ERROR, STALL

TIMEOUT, GAP = 0.5, 0.02  # a stream's: half of the requests are reads
QUICK, SLOW = {"usual": 0.002, "tail": 0.004}, {"usual": 0.02, "tail": 0.03}
MIXES = (plans.Mix(16, 0.06, 0.1), plans.Mix(12, 0.1, 0.5), plans.Mix(6, 0.7, 1.5))


def errors(mode: str, service: dict[str, float]) -> dict[str, list[tuple[float, float]]]:
    """For both edges of every outage, in every stream: (found − true, half of the error bar)."""
    modes = (mode,) if mode != STALL else (STALL, ERROR)
    seen = model.reckon(model.with_service(plans.timeline(4, MIXES, timeout=TIMEOUT, modes=modes), **service))
    found: dict[str, list[tuple[float, float]]] = {"began": [], "ended": []}
    for stream in streams(seen.samples):
        usual = edges.pace(stream)
        firsts, lasts = stream.runs
        afters = lasts + 1
        told = {
            "began": np.array(edges.went(stream, firsts, usual)),
            "ended": np.array(edges.came_back(stream, lasts, afters, usual)),
        }
        for planted in (each for each in seen.truth.planted if each.trouble.mode == mode):
            for edge, moments in told.items():
                true = getattr(planted, edge)
                earliest, latest = moments[:, np.abs(moments.mean(axis=0) - true).argmin()]
                found[edge].append(((earliest + latest) / 2 - true, (latest - earliest) / 2))
    return found


@pytest.mark.parametrize("service", [QUICK, SLOW], ids=["quick", "slow"])
@pytest.mark.parametrize("mode", plans.OUTAGES)
def test_edges_are_right_on_average_and_never_far_off(mode, service):
    for edge, found in errors(mode, service).items():
        spread = judge.Spread.of(error for error, _ in found)
        assert abs(spread.bias) <= GAP / 2, edge
        assert abs(spread.worst) <= 1.5 * GAP + service["tail"], edge


@pytest.mark.parametrize("service", [QUICK, SLOW], ids=["quick", "slow"])
@pytest.mark.parametrize("mode", plans.OUTAGES)
def test_the_truth_is_between_the_earliest_and_the_latest_moment(mode, service):
    spare = service["tail"] / 2 + 2 * model.NET  # what hung would have been served in the usual time, give or take
    for edge, found in errors(mode, service).items():
        inside = judge.share(abs(error) <= bar + spare for error, bar in found)
        assert inside >= 0.95, edge


def test_without_an_answer_there_is_no_usual_time():
    plan = plans.Plan(1, 2.0, (plans.Trouble(-1.0, 3.0, ERROR),))
    assert [edges.pace(stream) for stream in streams(model.reckon(plan).samples)] == [edges.Pace(0.0, 0.0)] * 2
