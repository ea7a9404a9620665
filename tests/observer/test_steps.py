from blackstart.observer.steps import split_steps


def test_a_step_seen_within_the_error_of_the_recovery_counts_as_at_the_recovery():
    rows = {row.name: row for row in split_steps(10.0, 17.0, {"promote": 17.04, "scale": 17.2}, error_seconds=0.05)}
    assert rows["promote"].status == "inside"
    assert rows["promote"].seconds == 7.0
    assert rows["serve"].seconds == 0
    assert rows["scale"].status == "after"
