"""A Kubernetes API server as raw JSON: kubeconfig and authentication by the kubernetes package, nothing else of it.

Its typed models take seconds for a few thousand pods; raw JSON takes a tenth of that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.access import Call, kubernetes_call
from blackstart.errors import BlackstartError, ConfigInvalid, ServiceUnreachable

PAGE = 500
ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE = 5, 0.25, 5.0
TIMEOUTS = (3.0, 15.0)


@dataclass
class KubeRefused(BlackstartError):
    """The API server answered ``wanted`` with ``status`` (an HTTP status) and ``problem``."""

    wanted: str
    status: int
    problem: str

    def __str__(self) -> str:
        return f"could not {self.wanted}: the Kubernetes API answered {self.status}: {self.problem}"


class Kube:
    """One API server. ``cluster`` is the cluster's name in the kubeconfig. Usable from several threads.

    Reads and deletions are tried again a few times while the server is too busy, fails or does not answer; all else
    is not, because it might be done twice. ``timeouts``: to connect and to read, in seconds. ``called`` is told of
    every call before it is made; an error from it ends the call.
    """

    def __init__(
        self, api: Any, cluster: str, called: Callable[[Call], None], timeouts: tuple[float, float] = TIMEOUTS
    ) -> None:
        self._api = api
        self._called = called
        self._timeouts = timeouts
        self.cluster = cluster

    def get(self, path: str, **query: str) -> Any:
        """The JSON at ``path`` ("/api/v1/nodes"); KubeRefused unless the answer is 2xx."""
        return self._request("GET", path, query, None)

    def find(self, path: str) -> Any | None:
        """As ``get``; None if there is no such object."""
        try:
            return self.get(path)
        except KubeRefused as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> Iterator[Any]:
        """Every object of a list, page by page."""
        following = ""
        while True:
            page = self.get(path, **query, limit=str(PAGE), **({"continue": following} if following else {}))
            yield from page["items"]
            following = page.get("metadata", {}).get("continue") or ""
            if not following:
                return

    def delete(self, path: str, options: Mapping[str, Any] | None = None) -> Any:
        """Delete the object at ``path``; ``options`` are DeleteOptions."""
        return self._request("DELETE", path, {}, {"apiVersion": "v1", "kind": "DeleteOptions", **(options or {})})

    def patch(self, path: str, body: Any) -> Any:
        """Merge-patch the object at ``path``."""
        return self._request("PATCH", path, {}, body, "application/merge-patch+json")

    def post(self, path: str, body: Any) -> Any:
        return self._request("POST", path, {}, body)

    def close(self) -> None:
        self._api.rest_client.pool_manager.clear()
        self._api.close()

    def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Any, content: str = "application/json"
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        wanted = f"{method} {path}"
        self._called(kubernetes_call(self.cluster, method, path))
        try:
            answer = self._api.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=self._timeouts,
            )
            return json.loads(answer.data)
        except ApiException as error:
            if not error.status:
                raise ServiceUnreachable(wanted, self.cluster, f"did not answer: {error.reason}") from error
            raise KubeRefused(wanted, error.status, _message(error.body) or str(error.reason)) from error
        except (HTTPError, OSError) as error:
            raise ServiceUnreachable(wanted, self.cluster, f"did not answer: {error}") from error
        except ValueError as error:
            raise ServiceUnreachable(wanted, self.cluster, "answered without JSON") from error


def _message(body: Any) -> str:
    """What a Status object says; an error need not come with one."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or "")


def _patience() -> Any:
    """How urllib3 tries again. A server that asks for a longer pause than we have is asked again earlier."""
    from urllib3 import Retry
    from urllib3.response import BaseHTTPResponse

    class Patience(Retry):
        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, LONGEST_PAUSE)

    return Patience(
        total=ATTEMPTS - 1,
        read=2,  # each may have waited for the whole time-out
        allowed_methods={"GET", "DELETE"},
        status_forcelist={429, 500, 502, 503, 504},
        backoff_factor=FIRST_PAUSE,
        backoff_max=LONGEST_PAUSE,
        raise_on_status=False,
    )


def connect(
    cluster: str,
    kubeconfig: str | None,
    threads: int,
    called: Callable[[Call], None],
    timeouts: tuple[float, float] = TIMEOUTS,
) -> Kube:
    """Open the API of ``cluster``, a context's name or its cluster's; ConfigInvalid if the kubeconfig has none."""
    from kubernetes import client, config
    from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

    path = kubeconfig or str(KUBE_CONFIG_DEFAULT_LOCATION)
    try:
        merged = KubeConfigMerger(path).config
        contexts = [node.value for node in merged.value["contexts"]] if merged else []
        named = next((item for item in contexts if item["name"] == cluster), None)
        named = named or next((item for item in contexts if item["context"]["cluster"] == cluster), None)
        if named is None:
            have = ", ".join(item["name"] for item in contexts) or "none"
            raise ConfigInvalid(path, cluster, f"no context has this name or this cluster (there are: {have})")
        settings = client.Configuration()
        settings.connection_pool_maxsize = threads
        settings.retries = _patience()
        config.load_kube_config(path, named["name"], settings)
    except (config.ConfigException, OSError) as error:
        raise ConfigInvalid(path, cluster, str(error)) from error
    return Kube(client.ApiClient(settings), named["context"]["cluster"], called, timeouts)
