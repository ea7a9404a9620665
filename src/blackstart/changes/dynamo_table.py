"""The DynamoDB table of a team's undo log: its calls and its errors.

A table of two string keys, ``pk`` and ``sk``. Reads are strongly consistent, and every write is a transaction: it
happens whole or not at all, and once, even if the answer got lost and it had to be sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.changes.model import new_id
from blackstart.clock import Clock, SystemClock
from blackstart.errors import UndoLogGone, UndoLogUnusable

SCHEME = "dynamodb://"
PERMISSIONS = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What using the log takes, on the table's ARN."""

ATTEMPTS, TIMEOUTS = 3, (3.0, 5.0)
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
MOST_ITEMS = 100
UNMET = "ConditionalCheckFailed"
MISSING = "ResourceNotFoundException"
AGAIN = frozenset(
    (
        "ContinuousBackupsUnavailableException",
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)

Key = tuple[str, str]
Item = Mapping[str, Any]
"""Attributes by name: str, int, bool or bytes."""
Act = Mapping[str, Any]
"""One part of a transaction, as the API wants it but for the table's name."""


class Unmet(Exception):
    """A condition of a transaction did not hold, so none of it happened."""


def put(key: Key, attributes: Item, condition: str = "") -> Act:
    """Write an item whole. In all expressions, ``#name`` is the attribute ``name``."""
    return {"Put": {"Item": _typed(attributes) | _key(key), **_expressions(condition)}}


def update(
    key: Key, change: str, condition: str = "", values: Item | None = None, names: Mapping[str, str] | None = None
) -> Act:
    """Change some attributes. ``values``: those of ``:name``. ``names``: those of each ``#name`` that is another."""
    return {"Update": {"Key": _key(key), **_expressions(condition, change, values, names)}}


def delete(key: Key) -> Act:
    """Remove an item; it may be gone already."""
    return {"Delete": {"Key": _key(key)}}


def check(key: Key, condition: str) -> Act:
    """Only check ``condition``."""
    return {"ConditionCheck": {"Key": _key(key), **_expressions(condition)}}


class Table:
    """The table ``name`` in ``region``. Usable from several threads. UndoLogUnusable from every method."""

    def __init__(self, region: str, name: str, clock: Clock | None = None, random: Random | None = None) -> None:
        self.region, self.name = region, name
        self._clock, self._random = clock or SystemClock(), random or Random()
        self._clients = Clients(attempts=ATTEMPTS, timeouts=TIMEOUTS)
        self._client = self._clients.aws("dynamodb", region)
        self._met = False

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.region}/{self.name}"

    def get(self, key: Key) -> Item | None:
        """The item at ``key``, as it is now."""
        found = self.call("get_item", Key=_key(key), ConsistentRead=True).get("Item")
        return _plain(found) if found else None

    def snapshot(self, keys: Sequence[Key]) -> list[Item | None]:
        """The items at ``keys``, each hundred of them as they are at one moment."""
        found = []
        for some in chunks(keys):
            gets = [{"Get": {"TableName": self.name, "Key": _key(key)}} for key in some]
            answers = self.call("transact_get_items", table=False, TransactItems=gets)["Responses"]
            found += [_plain(answer["Item"]) if answer.get("Item") else None for answer in answers]
        return found

    def query(self, partition: str) -> list[Item]:
        """All items whose ``pk`` is ``partition``, by ``sk``."""
        found: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            answer = self.call(
                "query",
                ConsistentRead=True,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": partition}},
                **start,
            )
            found += [_plain(item) for item in answer["Items"]]
            if not answer.get("LastEvaluatedKey"):
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def write(self, *acts: Act) -> None:
        """Do all of ``acts``, at most a hundred; ``Unmet``, with nothing done, if a condition does not hold."""
        named = [{verb: {"TableName": self.name, **rest} for verb, rest in act.items()} for act in acts]
        # The same token each time: a request whose answer got lost is not carried out again.
        self.call("transact_write_items", table=False, TransactItems=named, ClientRequestToken=new_id())

    def call(self, verb: str, table: bool = True, **request: Any) -> Any:
        """Call the API; ``table``: it takes the table's name. What is throttled, or collides, is tried again."""
        from botocore.exceptions import BotoCoreError, ClientError

        more = {"TableName": self.name} if table else {}
        pauses = iter(PAUSES)
        while True:
            try:
                answer = getattr(self._client, verb)(**more, **request)
                self._met = True
                return answer
            except ClientError as error:
                codes = _codes(error.response)
                if UNMET in codes:
                    raise Unmet from error
                pause = next(pauses, None) if codes <= AGAIN else None
                if pause is None:
                    busy = f"it stayed too busy: {', '.join(sorted(codes))}"
                    raise self._unusable(codes, busy if codes <= AGAIN else str(error)) from error
            except BotoCoreError as error:
                raise UndoLogUnusable(self.url, str(error)) from error
            self._pause(pause)

    def wait(self, tries: int) -> None:
        """Let others finish what they are at; ``tries`` counts how often that was done in a row."""
        self._pause(PAUSES[min(tries, len(PAUSES) - 1)])

    def close(self) -> None:
        self._clients.close()

    def _pause(self, seconds: float) -> None:
        self._clock.sleep(seconds * self._random.uniform(0.5, 1.5))

    def _unusable(self, codes: set[str], problem: str) -> UndoLogUnusable:
        if MISSING not in codes:
            return UndoLogUnusable(self.url, problem)
        if self._met:
            return UndoLogGone(self.url, f"the table {self.name} has been deleted")
        advice = f"make it with `blackstart log create {self.url}`"
        return UndoLogUnusable(self.url, f"there is no table {self.name} in {self.region}; {advice}")


def chunks(some: Sequence[Any], size: int = MOST_ITEMS) -> Iterable[Sequence[Any]]:
    """``some``, at most ``size`` at a time."""
    return (some[start : start + size] for start in range(0, len(some), size))


def _codes(response: Mapping[str, Any]) -> set[str]:
    """Why a request failed; those of its parts, if it was a transaction that was cancelled."""
    code = str(response["Error"]["Code"])
    reasons = {str(reason.get("Code", "None")) for reason in response.get("CancellationReasons", ())}
    return reasons - {"None"} or {code}


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _expressions(
    condition: str, change: str = "", values: Item | None = None, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    used = {name: name[1:] for name in re.findall(r"#\w+", f"{condition} {change}")} | dict(names or {})
    found: dict[str, Any] = {
        "ConditionExpression": condition,
        "UpdateExpression": change,
        "ExpressionAttributeNames": used,
        "ExpressionAttributeValues": {f":{name}": value for name, value in _typed(values or {}).items()},
    }
    return {name: value for name, value in found.items() if value}


def _typed(attributes: Item) -> dict[str, Any]:
    return {name: _value(value) for name, value in attributes.items()}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"B" if isinstance(value, bytes) else "S": value}


def _plain(item: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: int(value["N"]) if "N" in value else next(iter(value.values())) for name, value in item.items()}
