"""Making the DynamoDB table of a team's undo log, guarded against its own loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blackstart.changes.dynamo_table import MISSING, Table
from blackstart.errors import UndoLogUnusable

PERMISSIONS = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
)
"""What making the table takes, on its ARN."""


def create(table: Table) -> None:
    """Make the table, or make sure that the one that is there will do; return when it can be used."""
    described = _described(table)
    if described is None:
        table.call(
            "create_table",
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
    for tries in range(60):
        described = _described(table)
        if described and described["TableStatus"] == "ACTIVE":
            break
        table.wait(tries)
    else:
        raise UndoLogUnusable(table.url, "the table was made but is not active yet; run the command again")
    _protect(table, described)


def _described(table: Table) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = table.call("describe_table")["Table"]
        return found
    except UndoLogUnusable as error:
        if MISSING in str(error.__cause__):
            return None
        raise


def _protect(table: Table, described: Mapping[str, Any]) -> None:
    keys = [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]]
    if keys != [("pk", "HASH"), ("sk", "RANGE")]:
        raise UndoLogUnusable(table.url, f"the table has other keys ({keys}), so it belongs to something else")
    if described.get("Replicas") and described.get("MultiRegionConsistency") != "STRONG":
        raise UndoLogUnusable(
            table.url,
            "it is a global table whose regions may disagree; use one of one region, or strongly consistent",
        )
    if not described.get("DeletionProtectionEnabled"):
        table.call("update_table", DeletionProtectionEnabled=True)
    backups = table.call("describe_continuous_backups")["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
        table.call("update_continuous_backups", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
