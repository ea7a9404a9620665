"""The worker between a real queue and a real bucket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from blackstart.lab.orders import worker
from blackstart.lab.orders.worker import WorkerSpec

SECONDS = 8.0


@pytest.fixture
def spec(aws: Callable[[str], Any], aws_url: str, queue_url: str, a_port: Callable[[], int]) -> WorkerSpec:
    bucket = f"shop-receipts-{a_port()}"
    aws("s3").create_bucket(Bucket=bucket)
    return WorkerSpec("127.0.0.1", a_port(), "worker-1", "i-1", "us-east-1", "us-east-1a", aws_url, queue_url, bucket)


@asynccontextmanager
async def running(spec: WorkerSpec) -> AsyncIterator[Callable[[str], Any]]:
    task = asyncio.create_task(worker.serve(spec))
    async with aiohttp.ClientSession() as session:

        async def status(path: str) -> int:
            try:
                async with session.get(f"http://{spec.host}:{spec.port}{path}") as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:
                return 0

        try:
            yield status
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            answer = holds()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.05)


def left_in(sqs: Any, queue_url: str) -> int:
    counts = sqs.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(count) for count in counts.values())


def receipts(s3: Any, bucket: str) -> dict[str, Any]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    return {found["Key"]: json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()) for found in listed}


def test_every_order_gets_its_receipt_and_leaves_the_queue(spec: WorkerSpec, aws: Callable[[str], Any]) -> None:
    sqs, s3 = aws("sqs"), aws("s3")
    bodies = [{"id": 1, "key": "k/1+~ü%", "item": 7, "quantity": 2}, {"id": 2, "key": "k-2", "item": 8, "quantity": 1}]
    for body in [*bodies, bodies[0]]:
        sqs.send_message(QueueUrl=spec.queue_url, MessageBody=json.dumps(body))
    sqs.send_message(QueueUrl=spec.queue_url, MessageBody="no order at all")

    async def scenario() -> None:
        async with running(spec) as status:
            await eventually(lambda: left_in(sqs, spec.queue_url) == 0)
            assert await status("/readyz") == 200
            assert await status("/healthz") == 200

    asyncio.run(scenario())
    assert receipts(s3, spec.bucket) == {f"receipts/{body['key']}": body for body in bodies}


def test_a_message_stays_until_its_receipt_is_stored(spec: WorkerSpec, aws: Callable[[str], Any]) -> None:
    sqs, s3 = aws("sqs"), aws("s3")
    s3.delete_bucket(Bucket=spec.bucket)
    sqs.set_queue_attributes(QueueUrl=spec.queue_url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=spec.queue_url, MessageBody=json.dumps({"id": 1, "key": "k", "item": 1, "quantity": 1}))

    async def scenario() -> None:
        async with running(spec) as status:

            async def unhealthy() -> bool:
                return bool(await status("/healthz") == 503)

            await eventually(unhealthy)
            assert await status("/readyz") == 200
            assert left_in(sqs, spec.queue_url) == 1
            s3.create_bucket(Bucket=spec.bucket)
            await eventually(lambda: left_in(sqs, spec.queue_url) == 0)

    asyncio.run(scenario())
    assert list(receipts(s3, spec.bucket)) == ["receipts/k"]
