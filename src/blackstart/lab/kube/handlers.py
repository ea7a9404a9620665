"""HTTP requests, one verb each, on the rules of ``cluster``."""

from __future__ import annotations

import json
import logging
from typing import Any

from aiohttp import web

from blackstart.lab.kube import discovery, event_views, openapi, rbac, rendering, reviews, validation, writing
from blackstart.lab.kube import exec as execution
from blackstart.lab.kube.cluster import Cluster
from blackstart.lab.kube.eviction import evict
from blackstart.lab.kube.listing import page
from blackstart.lab.kube.objects import Object, key_of, without_nulls
from blackstart.lab.kube.request import Route, delete_options, dry_run, flag, parse
from blackstart.lab.kube.status import (
    ApiError,
    bad_request,
    method_not_allowed,
    success,
    unsupported_media_type,
)
from blackstart.lab.kube.store import Record, encode
from blackstart.lab.kube.watching import Watch

_log = logging.getLogger("blackstart.lab.kube")
_HEALTH = frozenset({"/healthz", "/readyz", "/livez"})
_READ = ("json", "yaml", "protobuf")
_GONE = {"status": "Success", "kind": "Status", "apiVersion": "v1", "metadata": {}}


class Handlers:
    """Answers every request to one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in _HEALTH:
            return web.Response(text="ok")
        try:
            return await self._answer(request)
        except ApiError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
            return _json(error.to_status(), error.code, headers)
        except web.HTTPRequestEntityTooLarge as error:
            return _json(ApiError(413, "RequestEntityTooLarge", str(error)).to_status(), 413)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            _log.exception("could not answer %s %s", request.method, request.path_qs)
            message = f"Internal error occurred: {type(error).__name__}: {error}"
            return _json(ApiError(500, "InternalError", message).to_status(), 500)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        described = self._described(request.path.strip("/")) if request.method == "GET" else None
        if described is not None:
            return _json(described)
        if request.method == "POST" and (kind := reviews.kind(request.path)):
            return _json(reviews.answer(request.path, kind, await _body(request)), 201)
        route = parse(self._cluster.registry, request.path)
        rbac.check(self._cluster.store, request.headers.get("Authorization", ""), request.method, route, request.query)
        if route.subresource == "exec":
            return await execution.answer(self._cluster, request, route)
        if request.method == "GET":
            return await self._get(request, route)
        if "update" not in route.resource.verbs:
            raise method_not_allowed()
        if route.resource.namespaced and not route.namespace:
            raise method_not_allowed()
        match request.method:
            case "POST":
                return await self._post(request, route)
            case "PUT":
                return await self._put(request, route)
            case "PATCH":
                return await self._patch(request, route)
            case "DELETE":
                return await self._delete(request, route)
            case _:
                raise method_not_allowed()

    def _described(self, path: str) -> Object | None:
        """What discovery answers at ``path``; None if it is no path of discovery."""
        registry = self._cluster.registry
        match path.split("/"):
            case ["version"]:
                return discovery.VERSION
            case ["api"]:
                return discovery.core_versions()
            case ["api", version]:
                return discovery.resources(registry, "", version)
            case ["apis"]:
                return discovery.groups(registry)
            case ["apis", group]:
                return discovery.group(registry, group)
            case ["apis", group, version]:
                return discovery.resources(registry, group, version)
            case ["openapi", "v3"]:
                return openapi.index(registry)
            case ["openapi", "v3", "api", version]:
                return openapi.document(registry, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return openapi.document(registry, group, version)
            case ["openapi", "v2"]:
                return openapi.swagger()
            case _:
                return None

    async def _get(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        if route.subresource == "scale":
            return _json(writing.scale_of(route, self._cluster.get(route.resource, route.key).object))
        if route.subresource == "log":
            raise ApiError(501, "NotImplemented", "this API server has no logs of pods: the lab keeps them in files")
        if flag(request.query, "watch") and not route.subresource:
            return await self._watch(request, route)
        accept = request.headers.get("Accept", "")
        if route.name:
            record = self._cluster.get(route.resource, route.key)
            if rendering.wants_table(accept):
                return self._table(request, route, [record], {"resourceVersion": str(record.version)})
            return _raw(rendering.asked_for(route.resource, record, accept))
        found = page(self._cluster, route, request.query)
        metadata: Object = {"resourceVersion": str(found.version)}
        if found.token:
            metadata["continue"] = found.token
        if found.remaining is not None:
            metadata["remainingItemCount"] = found.remaining
        if rendering.wants_table(accept):
            return self._table(request, route, found.records, metadata)
        if rendering.wants_metadata(accept):
            return _json(rendering.partial_list(found.records, metadata))
        return _raw(rendering.many(route.resource, found.records, metadata))

    def _table(
        self, request: web.BaseRequest, route: Route, records: list[Record], metadata: Object
    ) -> web.StreamResponse:
        include, now = request.query.get("includeObject", "Metadata"), self._cluster.timestamp()
        return _json(rendering.table(route.resource, records, metadata, now=now, include=include, head=True))

    async def _watch(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        watch = Watch(self._cluster, route, request.query, request.headers.get("Accept", ""))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            async for lines in watch.lines():
                await response.write(lines)
            await response.write_eof()
        except ConnectionError:
            pass  # the client went away, which is how most watches end
        return response

    async def _post(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        body = without_nulls(await _body(request))
        dry = dry_run(request.query, body)
        match route.subresource:
            case "" if not route.name:
                record = self._create(route, body, dry)
                return _raw(rendering.one(route.resource, record), 201)
            case "eviction":
                given = body.get("deleteOptions") if isinstance(body, dict) else None
                dry = dry or dry_run({}, given)
                return _json(evict(self._cluster, route.key, delete_options(request.query, given), dry), 201)
            case "binding":
                target = body.get("target") if isinstance(body, dict) else None
                if not isinstance(target, dict) or not target.get("name"):
                    raise bad_request("a Binding needs target.name")
                self._cluster.bind(route.key, target["name"])
                return _json(_GONE | {"code": 201}, 201)
            case "token":
                token = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
                return _json(token | {"status": {"token": "lab", "expirationTimestamp": "2100-01-01T00:00:00Z"}}, 201)
            case _:
                raise method_not_allowed()

    def _create(self, route: Route, body: Any, dry: bool) -> Record:
        if route.resource.group != event_views.GROUP:
            return self._cluster.create(route.resource, route.namespace, body, dry)
        validation.check_shape(route.resource, body)
        events = self._cluster.registry.named("events")
        return self._cluster.create(events, route.namespace, event_views.core(body), dry)

    async def _put(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        body = without_nulls(await _body(request))
        dry = dry_run(request.query)
        if not route.name or route.resource.group == event_views.GROUP:
            raise method_not_allowed()
        if route.subresource == "scale":
            return _json(writing.scale_of(route, writing.scale(self._cluster, route, body, dry).object))
        if route.subresource == "finalize":
            spec = body.get("spec") if isinstance(body, dict) else None
            record = self._cluster.finalize(route.key, list((spec or {}).get("finalizers") or ()))
        elif route.subresource in ("", "status"):
            record = self._cluster.replace(route.resource, route.key, body, route.subresource, dry)
        else:
            raise method_not_allowed()
        return _raw(rendering.one(route.resource, record))

    async def _patch(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        if (
            not route.name
            or route.resource.group == event_views.GROUP
            or route.subresource not in ("", "status", "scale")
        ):
            raise method_not_allowed()
        body = await _body(request)
        if request.content_type == writing.APPLY_PATCH and not request.query.get("fieldManager"):
            raise bad_request("fieldManager is required for apply patch")
        record, created = writing.patch(self._cluster, route, request.content_type, body, dry_run(request.query))
        if route.subresource == "scale":
            return _json(writing.scale_of(route, record.object))
        return _raw(rendering.one(route.resource, record), 201 if created else 200)

    async def _delete(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        body = await _body(request)
        options, dry = delete_options(request.query, body), dry_run(request.query, body)
        if route.subresource:
            raise method_not_allowed()
        if not route.name:
            found = page(self._cluster, route, request.query)
            for record in [] if dry else found.records:
                self._cluster.delete(route.resource, key_of(record.object), options)
            metadata = {"resourceVersion": str(self._cluster.store.version)}
            return _raw(rendering.many(route.resource, found.records, metadata))
        record, gone = self._cluster.get(route.resource, route.key), dry
        if not dry:
            record, gone = self._cluster.delete(route.resource, route.key, options)
        if gone and route.resource.store_key != "pods.":
            resource = route.resource
            return _json(success(route.name, resource.group, resource.plural, record.object["metadata"]["uid"]))
        return _raw(rendering.one(route.resource, record))


async def _body(request: web.BaseRequest) -> Any:
    """The body, from JSON or YAML; None if there is none; ApiError 400."""
    data = await request.read()
    if not data:
        return None
    kind = request.content_type
    if "Content-Type" in request.headers and not any(known in kind for known in _READ):
        message = f"the body of the request was in an unknown format ({kind}) - accepted media types include: "
        raise unsupported_media_type(f"{message}application/json, application/yaml")
    if "protobuf" in kind:
        from blackstart.lab.kube import protobuf  # rare, and its table takes time to read

        return protobuf.decode(data)
    try:
        if "yaml" in kind and not data.lstrip().startswith(b"{"):
            import yaml  # rare, and slow to import

            return yaml.safe_load(data)
        return json.loads(data)
    except ValueError as error:
        raise bad_request(f"the body cannot be decoded: {error}") from error


def _json(body: Object, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return _raw(encode(body), code, headers)


def _raw(body: bytes, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=code, content_type="application/json", headers=headers)
