"""What the error of an API call means: that asking again soon may help, or that a permission is missing."""

from __future__ import annotations

import sys
from collections.abc import Collection

from blackstart.errors import NotYet, ServiceUnreachable
from blackstart.kube.client import KubeRefused

THROTTLED = frozenset(
    {
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
TOO_MANY, SERVER_ERROR = 429, 500


def passing(error: BaseException) -> bool:
    """Whether the same call may well succeed soon: throttled, a server's error, no answer, or a connection cut.

    The call may have been carried out all the same, so only what looks at the target first may be called again.
    """
    if isinstance(error, KubeRefused):
        return error.status == TOO_MANY or error.status >= SERVER_ERROR
    if isinstance(error, NotYet | ServiceUnreachable):
        return True
    if "botocore" not in sys.modules:
        return False  # then it cannot be one of its errors, and loading it takes long
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status == TOO_MANY or status >= SERVER_ERROR or _code(error) in THROTTLED
    # What cannot be parsed is a gateway's page about its own trouble.
    return isinstance(error, HTTPClientError | NoConnection | ResponseParserError)


def told(error: BaseException, permissions: Collection[str] = ()) -> str:
    """What ``error`` says, as the end of a sentence; begins with the permission that is missing, if one is.

    ``permissions`` are the kind's: AWS names the operation alone.
    """
    said = str(error) or repr(error)
    if "botocore" not in sys.modules:
        return said
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError) or _code(error) not in DENIED:
        return said
    operation = str(error.operation_name)
    permission = next((name for name in permissions if name.partition(":")[2] == operation), operation)
    return f"the permission {permission} is missing ({said})"


def _code(error: object) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
