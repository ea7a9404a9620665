"""Server-side apply: objects made of what several managers want, each the owner of its fields."""


def applied(name, data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def apply(api, space, data, manager, **query):
    """The answer of the server to ``manager``, who wants ``data`` in the ConfigMap ``a``."""
    kind = "application/apply-patch+yaml"
    path, query = space.configmaps("a"), {"fieldManager": manager} | query
    return api.call("PATCH", path, applied("a", data), kind, **query)


def test_what_is_applied_first_is_made(api, space):
    made = apply(api, space, {"n": "1"}, "one")
    assert (made.code, made.body["data"]) == (201, {"n": "1"})
    again = apply(api, space, {"n": "2"}, "one")
    assert (again.code, again.body["data"]) == (200, {"n": "2"})


def test_yaml_is_taken(api, space):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: value\n"
    answer = api.call("PATCH", space.configmaps("a"), text, "application/apply-patch+yaml", fieldManager="one")
    assert (answer.code, answer.body["data"]) == (201, {"key": "value"})


def test_who_applies_must_say_who(api, space):
    answer = api.call("PATCH", space.configmaps("a"), applied("a", {}), "application/apply-patch+yaml")
    assert answer.code in (400, 422), answer.text


def test_two_managers_of_one_field_conflict_unless_forced(api, space):
    apply(api, space, {"n": "1"}, "one")
    refused = apply(api, space, {"n": "2"}, "two")
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    cause = refused.body["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.n")
    forced = apply(api, space, {"n": "2"}, "two", force="true")
    assert (forced.code, forced.body["data"]) == (200, {"n": "2"})


def test_managers_of_different_fields_do_not_conflict(api, space):
    apply(api, space, {"n": "1"}, "one")
    both = apply(api, space, {"m": "2"}, "two")
    assert (both.code, both.body["data"]) == (200, {"n": "1", "m": "2"})


def test_a_field_that_its_manager_leaves_out_goes(api, space):
    apply(api, space, {"n": "1", "m": "1"}, "one")
    assert apply(api, space, {"m": "1"}, "one").body["data"] == {"m": "1"}


def test_the_manager_of_each_field_is_told(api, space):
    apply(api, space, {"n": "1"}, "one")
    api.patch(space.configmaps("a"), {"data": {"m": "2"}}, fieldManager="two")
    managers = api.get(space.configmaps("a"))["metadata"]["managedFields"]
    assert {(each["manager"], each["operation"]) for each in managers} == {("one", "Apply"), ("two", "Update")}
    assert managers[0]["fieldsV1"]["f:data"]["f:n"] == {}
