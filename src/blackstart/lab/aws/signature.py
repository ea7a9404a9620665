"""What a request to the AWS API says about itself: service, region, operation. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

ACCOUNT = "123456789012"

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")


@dataclass(frozen=True)
class Scope:
    """The credential scope of a signature, version 4: ``AKID/20261123/us-east-1/ec2/aws4_request``."""

    service: str
    region: str


def scope_of(authorization: str, query: str) -> Scope | None:
    """The scope in the Authorization header, else in a presigned URL's query; None for an unsigned request."""
    match = _CREDENTIAL.search(authorization)
    credential = match[1] if match else parse_qs(query).get("X-Amz-Credential", [""])[0]
    parts = unquote(credential).split("/")
    if len(parts) < 5:
        return None
    return Scope(service=parts[-2].lower(), region=parts[-3].lower())


def operation_in(headers: Mapping[str, str], query: str, body: bytes) -> str:
    """The operation that the JSON protocols name in a header and the query protocols in the form; "" for REST."""
    target = headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        match = re.search(rb"(?:^|&)Action=(\w+)", body)
        if match:
            return match[1].decode()
    match_query = re.search(r"(?:^|&)Action=(\w+)", query)
    return match_query[1] if match_query else ""
