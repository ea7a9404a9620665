"""Events as both of their API groups show them."""

NEW = "/apis/events.k8s.io/v1/namespaces/shop/events"
OLD = "/api/v1/namespaces/shop/events"


def test_an_event_reads_the_same_in_both_groups(api):
    about = {"kind": "Deployment", "name": "orders", "namespace": "shop"}
    api.post(OLD, {"metadata": {"name": "a"}, "involvedObject": about, "reason": "Decided", "message": "go"})
    (seen,) = api.get(f"{NEW}?fieldSelector=regarding.name%3Dorders")["items"]
    assert (seen["apiVersion"], seen["regarding"], seen["note"], seen["reason"]) == (
        "events.k8s.io/v1",
        about,
        "go",
        "Decided",
    )
    assert api.get(f"{NEW}/a")["note"] == "go"


def test_an_event_may_be_made_in_either_group(api):
    about = {"kind": "Pod", "name": "p", "namespace": "shop"}
    body = {"metadata": {"name": "b"}, "regarding": about, "reason": "Seen", "note": "x", "reportingController": "me"}
    assert api.post(NEW, body)["regarding"] == about
    stored = api.get(f"{OLD}/b")
    assert (stored["apiVersion"], stored["involvedObject"], stored["message"]) == ("v1", about, "x")
    assert stored["reportingComponent"] == "me"


def test_a_watch_shows_the_view(api):
    api.post(OLD, {"metadata": {"name": "a"}, "involvedObject": {}, "message": "go"})
    (event,) = api.watch(f"{NEW}?watch=true&timeoutSeconds=1")
    assert event["object"]["note"] == "go"


def test_events_go_with_their_namespace(api):
    api.post(NEW, {"metadata": {"name": "b"}, "regarding": {}, "note": "x"})
    api.call("DELETE", "/api/v1/namespaces/shop")
    api.until("/api/v1/namespaces/shop", lambda found: found.get("code") == 404)
    assert api.get("/api/v1/events")["items"] == []


def test_the_view_cannot_be_changed(api):
    api.post(OLD, {"metadata": {"name": "a"}, "involvedObject": {}})
    assert api.call("PATCH", f"{NEW}/a", {}, "application/merge-patch+json")[0] == 405
    assert api.call("PUT", f"{NEW}/a", {})[0] == 405
