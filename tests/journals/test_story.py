from blackstart.changes.model import State
from blackstart.journals.folder import read
from blackstart.journals.story import stories


def told(planted, folder):
    return stories(read(folder).changes, planted.ORIGIN)


def test_a_change_is_followed_from_plan_to_proof(planted, tmp_path):
    first = told(planted, planted.plant(tmp_path, planted.SMALL))[0]
    assert (first.kind, first.target) == ("ec2.subnet_acl", "subnet subnet-0")
    assert first.planned < first.began < first.applied < first.undone < first.verified
    assert first.note == "read back: network ACL acl-1"
    assert not first.left


def test_only_verified_proves_that_nothing_is_left(planted, tmp_path):
    folder = planted.plant(tmp_path, planted.SMALL, left=1)
    assert [change.left for change in told(planted, folder)] == [True, False, False]
    lines = [line for line in read(folder).changes if line["state"] != "verified"]
    assert all(change.left for change in stories(lines, planted.ORIGIN))


def test_a_change_that_was_planned_and_never_heard_of_again_may_be_in_place(planted, tmp_path):
    lines = [line for line in read(planted.plant(tmp_path, planted.SMALL)).changes if line["state"] == State.PLANNED]
    assert all(change.left and not change.made for change in stories(lines, planted.ORIGIN))


def test_lines_that_are_no_transitions_are_passed_over(planted):
    odd = [
        {},
        {"change": 5, "state": "applied"},
        {"change": "bs-1", "state": "exploded"},
        {"change": "bs-1", "state": "planned"},
    ]
    (only,) = stories(odd, 0.0)
    assert (only.id, only.state, only.planned) == ("bs-1", State.PLANNED, None)
