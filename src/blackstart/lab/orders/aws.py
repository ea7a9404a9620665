"""Signed AWS requests over aiohttp, for the few operations that pods need.

boto3 would cost each pod tens of megabytes of service models; botocore's signer alone is small. Requests go to one
endpoint for all services, which tells them apart by their signatures, as AWS_ENDPOINT_URL does for boto3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from blackstart.errors import ServiceUnreachable


@dataclass(frozen=True)
class AwsAccess:
    """Where and as whom to call AWS. The lab's endpoint takes any secret; the access key names the account. ``agent``
    is what the caller calls itself."""

    url: str
    region: str
    access_key: str = "123456789012"
    secret_key: str = "lab"
    agent: str = "orders"


class SignedClient:
    """Calls AWS at one endpoint; ``timeout_seconds`` is for one whole request. Use as an asynchronous context."""

    def __init__(self, access: AwsAccess, timeout_seconds: float) -> None:
        self._access = access
        self._credentials = Credentials(access.access_key, access.secret_key)
        self._timeout_seconds = timeout_seconds
        self._session = aiohttp.ClientSession(headers={"User-Agent": access.agent})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    async def sqs(self, operation: str, payload: dict[str, Any], wait_seconds: float = 0.0) -> dict[str, Any]:
        """The answer of one SQS operation; ``wait_seconds`` is how long the queue itself may hold it back.

        ServiceUnreachable when there is no answer in time, or it is an error.
        """
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        request = AWSRequest("POST", f"{self._access.url}/", headers=headers, data=json.dumps(payload).encode())
        SigV4Auth(self._credentials, "sqs", self._access.region).add_auth(request)
        body = await self._send(request, operation, wait_seconds)
        return dict(json.loads(body)) if body else {}

    async def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Store ``body`` in S3; ServiceUnreachable when that was not confirmed in time."""
        url = f"{self._access.url}/{bucket}/{quote(key, safe='/-_.~')}"
        request = AWSRequest("PUT", url, headers={"Content-Type": "application/json"}, data=body)
        S3SigV4Auth(self._credentials, "s3", self._access.region).add_auth(request)
        await self._send(request, "PutObject", 0.0)

    async def _send(self, request: AWSRequest, operation: str, wait_seconds: float) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds + wait_seconds)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=dict(request.headers.items()),
                data=request.data,
                timeout=timeout,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._away(operation, str(error) or "did not answer in time") from error
        if answer.status >= 300:
            raise self._away(operation, f"answered {answer.status}: {body[:200].decode(errors='replace')}")
        return body

    def _away(self, operation: str, problem: str) -> ServiceUnreachable:
        return ServiceUnreachable(f"call {operation}", f"AWS in {self._access.region} at {self._access.url}", problem)
