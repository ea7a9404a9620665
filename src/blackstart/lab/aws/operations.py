"""Names of REST operations, and which operations change what the API holds; from botocore's service models."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

_READS = re.compile(
    r"(BatchGet|Check|Decode|Describe|Estimate|Export|Get|Head|List|Lookup|Poll|Query|Scan|Search|Select|Simulate|Validate|View)"
)
# Data planes: they move messages, objects and tokens, and leave the configuration alone.
_DATA = {
    "sqs": re.compile(r"(Send|Receive|DeleteMessage|ChangeMessageVisibility)"),
    "sns": re.compile(r"Publish"),
    "s3": re.compile(r"(?!.*(Bucket|PublicAccessBlock))"),
    "kms": re.compile(r"(Encrypt|Decrypt|ReEncrypt|Generate|Sign|Verify)"),
    "sts": re.compile(r""),
    "monitoring": re.compile(r"PutMetricData"),
    "logs": re.compile(r"PutLogEvents"),
    "dynamodb": re.compile(r"(BatchWrite|Transact|(Put|Update|Delete)Item)"),
}
# Signing names that are not the name of botocore's model.
_MODELS = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "email": "ses",
    "tagging": "resourcegroupstaggingapi",
}


@dataclass(frozen=True)
class Route:
    """How one REST operation is recognised. Of several that match, the one of the highest ``rank`` is meant."""

    name: str
    method: str
    path: re.Pattern[str]
    needs: frozenset[str]  # keys of the query
    rank: tuple[int, int, int]

    def matches(self, method: str, path: str, query: frozenset[str]) -> bool:
        return method == self.method and self.needs <= query and self.path.fullmatch(path) is not None


class Operations:
    """Service models by signing name, loaded when first asked for."""

    def __init__(self) -> None:
        self._loader = Loader(include_default_search_paths=True)
        self.model = functools.cache(self._load)
        self._routes = functools.cache(self._read_routes)

    def _load(self, service: str) -> ServiceModel | None:
        name = _MODELS.get(service, service)
        try:
            return ServiceModel(self._loader.load_service_model(name, "service-2"), name)
        except UnknownServiceError:
            return None

    def _read_routes(self, service: str) -> tuple[Route, ...]:
        model = self.model(service)
        if model is None:
            return ()
        found = [_route(model.operation_model(name)) for name in model.operation_names]
        return tuple(sorted(found, key=lambda route: route.rank, reverse=True))

    def rest_name(self, service: str, method: str, path: str, query: str) -> str:
        """The operation behind ``method path?query`` (percent-encoded, as received), or "" if none is known."""
        keys = frozenset(parse_qs(query, keep_blank_values=True))
        for route in self._routes(service):
            if route.matches(method, path, keys):
                return route.name
        return ""

    def speaks_json(self, service: str, content_type: str) -> bool:
        """Whether a client of ``service`` that sent ``content_type`` expects errors in JSON."""
        if content_type:
            return "json" in content_type
        model = self.model(service)
        return model is not None and "json" in model.metadata["protocol"]

    def mutates(self, service: str, operation: str) -> bool:
        """Whether ``operation`` changes what the control plane of ``service`` holds."""
        if not operation or _READS.match(operation):
            return False
        data = _DATA.get(service)
        return data is None or data.match(operation) is None


def _route(operation: OperationModel) -> Route:
    path, _, query = operation.http["requestUri"].partition("?")
    parts = [part for part in re.split(r"(\{[^}]+\})", path.rstrip("/")) if part]
    needs = {key for key in parse_qs(query, keep_blank_values=True) if key != "x-id"}
    needs |= _required(operation, "querystring")
    # DELETE /bucket?policy is not DeleteBucket; and what needs a header that we do not look at is a last resort.
    literal = sum(len(part) for part in parts if not part.startswith("{"))
    rank = (len(needs), literal, -len(_required(operation, "header")))
    pattern = re.compile("".join(map(_pattern, parts)) + "/?")
    return Route(operation.name, operation.http["method"], pattern, frozenset(needs), rank)


def _required(operation: OperationModel, location: str) -> set[str]:
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return set()
    places = [shape.members[name].serialization for name in shape.required_members]
    return {place["name"] for place in places if place.get("location") == location}


def _pattern(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return ".+" if part.endswith("+}") else "[^/]+"
