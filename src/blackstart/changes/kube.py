"""A Kubernetes API server as raw JSON: kubeconfig and authentication by the kubernetes package, nothing else of it.

Its typed models take seconds for a few thousand pods; raw JSON takes a tenth of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.errors import BlackstartError, ConfigInvalid, ServiceUnreachable

CONNECT_SECONDS, READ_SECONDS = 3.0, 15.0
PAGE = 500


@dataclass
class KubeRefused(BlackstartError):
    """The API server answered ``wanted`` with ``status`` (an HTTP status) and ``problem``."""

    wanted: str
    status: int
    problem: str

    def __str__(self) -> str:
        return f"could not {self.wanted}: the Kubernetes API answered {self.status}: {self.problem}"


class Kube:
    """One API server. ``cluster`` is the cluster's name in the kubeconfig. Usable from several threads."""

    def __init__(self, api: Any, cluster: str) -> None:
        self._api = api
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
        try:
            answer = self._api.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
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


def connect(cluster: str, kubeconfig: str | None, threads: int) -> Kube:
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
        config.load_kube_config(path, named["name"], settings)
    except (config.ConfigException, OSError) as error:
        raise ConfigInvalid(path, cluster, str(error)) from error
    return Kube(client.ApiClient(settings), named["context"]["cluster"])
