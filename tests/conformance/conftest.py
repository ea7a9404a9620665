"""What a Kubernetes API server promises, asked of the one in KUBECONFIG, or else of the lab's stand-in.

KUBECONFIG counts only when nothing but this folder is run: a run of all tests never touches a real cluster.
"""

import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import bodies
import kube_server
import where

PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
# start of a test's name -> why the lab's stand-in cannot pass it
STAND_IN_LACKS = {
    "test_the_schema_refuses_what_it_does_not_allow": "the stand-in knows no schemas of custom kinds",
    "test_two_managers": "the stand-in keeps no owners of fields",
    "test_a_field_that_its_manager_leaves_out": "the stand-in keeps no owners of fields",
    "test_the_manager_of_each_field": "the stand-in keeps no owners of fields",
}
SEEN_WITHIN_SECONDS = 5.0


class Answer(NamedTuple):
    """``body`` is the decoded JSON; None if the answer holds none."""

    code: int
    body: Any
    headers: Any
    text: str


class Api:
    """One API server as raw HTTP, with the credentials of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        from kubernetes import config

        client = config.new_client_from_config(kubeconfig)
        self._url = client.configuration.host.rstrip("/")
        self._pool = client.rest_client.pool_manager
        logins = client.configuration.auth_settings().values()
        self._headers = {login["key"]: login["value"] for login in logins if login["in"] == "header"}

    def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", accept: str = "", **query: Any
    ) -> Answer:
        """One request; ``body`` may be bytes, which are sent as they are."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = self._headers | {"Accept": accept or "application/json"}
        if sent is not None:
            headers["Content-Type"] = kind
        url = f"{self._url}{path}" + (f"?{_encoded(query)}" if query else "")
        answer = self._pool.request(method, url, body=sent, headers=headers, timeout=30, retries=False)
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        return Answer(answer.status, found, answer.headers, answer.data.decode(errors="replace"))

    def get(self, path: str, **query: Any) -> Any:
        return self._done(self.call("GET", path, **query), 200)

    def create(self, path: str, body: Any, **query: Any) -> Any:
        return self._done(self.call("POST", path, body, **query), 201)

    def put(self, path: str, body: Any, **query: Any) -> Any:
        return self._done(self.call("PUT", path, body, **query), 200)

    def patch(self, path: str, body: Any, how: str = "merge", **query: Any) -> Any:
        return self._done(self.call("PATCH", path, body, PATCHES[how], **query), 200, 201)

    def delete(self, path: str, options: Any = None, **query: Any) -> Any:
        return self._done(self.call("DELETE", path, options, **query), 200, 202)

    def refused(self, code: int, reason: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The Status of a request that must fail so."""
        answer = self.call(method, path, body, **more)
        assert (answer.code, answer.body["kind"]) == (code, "Status"), answer.text
        status = answer.body
        assert (status["apiVersion"], status["status"], status["code"]) == ("v1", "Failure", code), status
        assert (status["reason"], bool(status["message"])) == (reason, True), status
        return status

    def until_no_conflict(self, method: str, path: str, edit: Any, **more: Any) -> tuple[Any, Any]:
        """Read, edit, write, as every client must that is not alone: what was written last, and the answer."""
        for _ in range(20):
            sent = edit(self.get(path))
            answer = self.call(method, path, sent, **more)
            if answer.code != 409:
                return sent, self._done(answer, 200)
        raise AssertionError(answer.text)

    def exists(self, path: str) -> bool:
        return self.call("GET", path).code == 200

    def watch(self, path: str, **query: Any) -> Iterator[Any]:
        """The events of a watch as they come; ends with the server's stream."""
        url = f"{self._url}{path}?{_encoded({'watch': 'true', 'timeoutSeconds': 10} | query)}"
        answer = self._pool.request("GET", url, headers=self._headers, preload_content=False, timeout=30, retries=False)
        assert answer.status == 200, answer.data
        try:
            rest = b""
            for chunk in answer.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, lines)
        finally:
            answer.close()

    def until(self, path: str, condition: Any, seconds: float = 20.0) -> Any:
        """What ``path`` answers once ``condition`` holds for it; None if it never does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.call("GET", path).body
            if condition(found):
                return found
            time.sleep(0.05)
        return None

    @staticmethod
    def _done(answer: Answer, *codes: int) -> Any:
        assert answer.code in codes, answer.text
        return answer.body


class Space:
    """A namespace of one test's own."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.name = name

    def path(self, plural: str, name: str = "", group: str = "") -> str:
        root = f"/apis/{group}" if group else "/api/v1"
        return "/".join(filter(None, (f"{root}/namespaces/{self.name}/{plural}", name)))

    def apps(self, plural: str, name: str = "") -> str:
        return self.path(plural, name, "apps/v1")

    def pods(self, name: str = "") -> str:
        return self.path("pods", name)

    def configmaps(self, name: str = "") -> str:
        return self.path("configmaps", name)

    def configmap(self, name: str, data: Any = None, **metadata: Any) -> Any:
        """Make a ConfigMap with the label ``conformance``, by which those of others are left out."""
        labels = {"conformance": "yes"} | metadata.pop("labels", {})
        metadata |= {"name": name, "labels": labels}
        return self.api.create(self.configmaps(), {"metadata": metadata, "data": data or {}})

    def running(self, name: str, labels: Any = None, ready: bool = True) -> Any:
        """A pod that says that it runs; no scheduler or kubelet of a real cluster takes it."""
        self.api.create(self.pods(), bodies.pod(name, labels))
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = {"phase": "Running", "conditions": conditions}
        return self.api.patch(f"{self.pods(name)}/status", {"status": status})


def _encoded(query: Any) -> str:
    from urllib.parse import urlencode

    return urlencode({key.rstrip("_"): value for key, value in query.items()})


def _is_stand_in(config: pytest.Config) -> bool:
    return not (os.environ.get("KUBECONFIG") and where.alone(config.args))


def pytest_report_header(config: pytest.Config) -> str:
    asked = "the lab's stand-in" if _is_stand_in(config) else f"the cluster of KUBECONFIG={os.environ['KUBECONFIG']}"
    return f"conformance: asks {asked}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A kubeconfig may say that the server's certificate is not to be checked."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:Unverified HTTPS request"))


@pytest.fixture(scope="session")
def stand_in(request: pytest.FixtureRequest) -> bool:
    return _is_stand_in(request.config)


@pytest.fixture(scope="session")
def kubeconfig(stand_in: bool) -> Iterator[str]:
    """The path of the kubeconfig of the cluster under test."""
    if not stand_in:
        yield os.environ["KUBECONFIG"]
        return
    with tempfile.TemporaryDirectory() as folder, kube_server.running(Path(folder)) as environ:
        yield environ["KUBECONFIG"]


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> Api:
    return Api(kubeconfig)


@pytest.fixture(autouse=True)
def _not_asked_of_the_stand_in(request: pytest.FixtureRequest, stand_in: bool) -> None:
    for start, reason in STAND_IN_LACKS.items():
        if stand_in and request.node.name.startswith(start):
            pytest.skip(reason)


@contextlib.contextmanager
def made_space(api: Api) -> Iterator[Space]:
    name = f"conformance-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    space = Space(api, name)
    try:
        # without controllers nobody makes it, and admission refuses pods until it is there
        made = api.call("POST", space.path("serviceaccounts"), {"metadata": {"name": "default"}})
        assert made.code in (201, 409), made.text
        yield space
    finally:
        # a test may have deleted it itself
        gone = api.call("DELETE", f"/api/v1/namespaces/{name}")
        assert gone.code in (200, 202, 404, 409), gone.text


@pytest.fixture
def space(api: Api) -> Iterator[Space]:
    with made_space(api) as made:
        yield made


@pytest.fixture
def node(api: Api) -> Iterator[str]:
    """The name of a node that is none: cordoned, tainted, kept from load balancers, and gone after the test."""
    name = f"conformance-{secrets.token_hex(4)}"
    taints = [{"key": "conformance", "effect": "NoSchedule"}]
    labels = {"node.kubernetes.io/exclude-from-external-load-balancers": "true"}
    spec = {"unschedulable": True, "taints": taints}
    api.create("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    try:
        yield name
    finally:
        api.call("DELETE", f"/api/v1/nodes/{name}")


@pytest.fixture(scope="session")
def controllers(api: Api) -> bool:
    """Whether a Deployment gets its ReplicaSet."""
    with made_space(api) as space:
        api.create(space.apps("deployments"), bodies.deployment("d", replicas=0))
        return bool(api.until(space.apps("replicasets"), lambda found: found["items"], SEEN_WITHIN_SECONDS))


@pytest.fixture(scope="session")
def scheduler(api: Api) -> bool:
    """Whether somebody finds a node for a pod, or says that there is none."""

    def judged(pod: Any) -> bool:
        return bool(pod["spec"].get("nodeName") or pod["status"].get("conditions"))

    with made_space(api) as space:
        api.create(space.pods(), bodies.pod("p", schedulerName="default-scheduler"))
        return bool(api.until(space.pods("p"), judged, SEEN_WITHIN_SECONDS))


@pytest.fixture
def with_controllers(controllers: bool) -> None:
    if not controllers:
        pytest.skip("needs a controller manager: no ReplicaSet was made for a Deployment")


@pytest.fixture
def with_scheduler(scheduler: bool) -> None:
    if not scheduler:
        pytest.skip("needs a scheduler: nobody looked at a pod")
