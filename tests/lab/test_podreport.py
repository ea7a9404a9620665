"""What a kubelet tells of a pod."""

from __future__ import annotations

from typing import Any

import pytest

from blackstart.lab.podreport import Container, Ended, PodReport

SPEC = {"name": "orders", "image": "shop/orders:1"}
FIRST, SECOND = Container("uid", 0, "10:00"), Container("uid", 1, "10:05")


def told(**known: Any) -> tuple[Any, Any]:
    status = PodReport("10:00", ("127.0.0.1", 80), SPEC, **known).patch("uid", "10:09")["status"]
    return status["phase"], status["containerStatuses"][0]


def test_a_pod_whose_image_cannot_be_pulled_has_never_run() -> None:
    phase, container = told(waiting="ErrImagePull")
    assert (phase, container["state"]) == ("Pending", {"waiting": {"reason": "ErrImagePull"}})
    assert (container["containerID"], container["started"], container["lastState"]) == (None, False, {})


def test_a_container_that_runs_again_is_another_one_and_tells_how_the_last_one_ended() -> None:
    phase, container = told(ready=True, restarts=1, running=SECOND, ended=Ended(FIRST, -9, "10:04"))
    assert (phase, container["restartCount"], container["state"]) == ("Running", 1, {"running": {"startedAt": "10:05"}})
    last = container["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["finishedAt"]) == (137, "Error", "10:04")
    assert last["containerID"] == FIRST.id != container["containerID"] == SECOND.id


@pytest.mark.parametrize(("code", "exit_code", "reason"), [(0, 0, "Completed"), (3, 3, "Error"), (-15, 143, "Error")])
def test_the_exit_code_is_the_one_that_a_shell_gives(code: int, exit_code: int, reason: str) -> None:
    phase, container = told(waiting="CrashLoopBackOff", ended=Ended(FIRST, code, "10:04"))
    last = container["lastState"]["terminated"]
    assert (phase, last["exitCode"], last["reason"]) == ("Running", exit_code, reason)
