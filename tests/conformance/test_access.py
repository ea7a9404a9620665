"""Who asks, and what they may do."""

REVIEWS = "/apis/authorization.k8s.io/v1"


def test_permission_is_answered_for_a_namespace(api, space):
    asked = {"namespace": space.name, "verb": "delete", "group": "", "resource": "pods"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = api.create(f"{REVIEWS}/selfsubjectaccessreviews", review | {"spec": {"resourceAttributes": asked}})
    assert answer["status"]["allowed"] is True
    assert answer["spec"]["resourceAttributes"]["verb"] == "delete"


def test_permission_is_answered_for_a_subresource(api, space):
    asked = {"namespace": space.name, "verb": "create", "resource": "pods", "subresource": "eviction"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = api.create(f"{REVIEWS}/selfsubjectaccessreviews", review | {"spec": {"resourceAttributes": asked}})
    assert isinstance(answer["status"]["allowed"], bool)


def test_the_rules_of_a_namespace_are_told(api, space):
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    answer = api.create(f"{REVIEWS}/selfsubjectrulesreviews", review | {"spec": {"namespace": space.name}})
    assert answer["status"]["resourceRules"]


def test_a_question_without_a_subject_is_refused(api):
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}}
    assert api.call("POST", f"{REVIEWS}/selfsubjectaccessreviews", review).code in (400, 422)
