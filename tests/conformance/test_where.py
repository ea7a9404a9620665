"""A run of all tests never touches a real cluster, whatever KUBECONFIG says."""

import pytest
import where

HERE = str(where.HERE)


@pytest.mark.parametrize("paths", [[HERE], [f"{HERE}/test_lists.py::test_a"], [f"{HERE}/test_lists.py", HERE]])
def test_this_suite_alone_asks_the_cluster_that_it_was_given(paths):
    assert where.alone(paths)


@pytest.mark.parametrize("paths", [[], [str(where.HERE.parent)], [HERE, str(where.HERE.parent / "lab")], ["/"]])
def test_every_other_run_asks_the_stand_in(paths):
    assert not where.alone(paths)
