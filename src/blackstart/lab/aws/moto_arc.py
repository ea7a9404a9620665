"""Zonal shifts of ARC, which moto does not have: an application in front of it that answers for them.

Load balancers are what can be shifted: those that moto has, of application or network type, whose attribute
``zonal_shift.config.enabled`` is true. A shift ends when it is cancelled or has expired. Practice runs, autoshift, Auto
Scaling groups and EKS clusters are not here.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto.elbv2.models import FakeLoadBalancer, elbv2_backends

from blackstart.lab.aws import wsgi
from blackstart.lab.aws.signature import ACCOUNT, scope_of

SERVICE = "arc-zonal-shift"
ENABLED = "zonal_shift.config.enabled"
SHIFTABLE = ("application", "network")
LONGEST = timedelta(hours=72)
ACTIVE, CANCELED, EXPIRED = "ACTIVE", "CANCELED", "EXPIRED"

_EXPIRES_IN = re.compile(r"([1-9][0-9]*)(m|h)")


class _Error(Exception):
    """An error of the API; ``more`` goes into its body."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.body = {"message": message, **more}


@dataclass
class Shift:
    """One zonal shift of a resource (ARN) away from a zone (id)."""

    id: str
    resource: str
    away_from: str
    start: datetime
    expiry: datetime
    comment: str
    cancelled: bool = False

    def status(self, now: datetime) -> str:
        if self.cancelled:
            return CANCELED
        return ACTIVE if now < self.expiry else EXPIRED

    def told(self, **more: str) -> dict[str, Any]:
        """As the API tells of it; ``more`` says how it is."""
        return {
            "zonalShiftId": self.id,
            "resourceIdentifier": self.resource,
            "awayFrom": self.away_from,
            "startTime": self.start.timestamp(),
            "expiryTime": self.expiry.timestamp(),
            "comment": self.comment,
            **more,
        }


class ZonalShifts:
    """WSGI in front of ``moto``. Called by one thread at a time."""

    def __init__(self, moto: wsgi.Application, now: Callable[[], datetime]) -> None:
        self._moto = moto
        self._now = now
        self._shifts: dict[str, list[Shift]] = {}  # by region

    def __call__(self, environ: wsgi.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        scope = scope_of(environ.get("HTTP_AUTHORIZATION", ""), "")
        if scope is None or scope.service != SERVICE:
            return self._moto(environ, start_response)
        headers = {}
        try:
            status, answer = self._answer(scope.region, environ)
        except _Error as error:
            status, answer = error.status, error.body
            headers["x-amzn-ErrorType"] = error.code
        headers["Content-Type"] = "application/json"
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [json.dumps(answer).encode()]

    def _answer(self, region: str, environ: wsgi.Environ) -> tuple[HTTPStatus, dict[str, Any]]:
        _, collection, key = [*environ["PATH_INFO"].split("/", 2), ""][:3]
        method = environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        asked: dict[str, Any] = json.loads(body or b"{}")
        match method, collection, bool(key):
            case "POST", "zonalshifts", False:
                return HTTPStatus.CREATED, self._start(region, asked)
            case "DELETE", "zonalshifts", True:
                return HTTPStatus.OK, self._cancel(region, key)
            case "PATCH", "zonalshifts", True:
                return HTTPStatus.OK, self._update(region, key, asked)
            case "GET", "zonalshifts", False:
                return HTTPStatus.OK, self._list(region, parse_qs(environ["QUERY_STRING"]))
            case "GET", "managedresources", True:
                return HTTPStatus.OK, self._resource(region, key)
            case "GET", "managedresources", False:
                items = [self._resource(region, arn) for arn in _opted_in(region)]
                return HTTPStatus.OK, {
                    "items": [item | {"availabilityZones": sorted(item["appliedWeights"])} for item in items]
                }
        raise _Error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", f"the lab has no {method} of {collection}")

    def _start(self, region: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        resource, zone = asked["resourceIdentifier"], asked["awayFrom"]
        weights = _weights(_balancer(region, resource))
        if zone not in weights:
            raise _invalid("InvalidAz", f"{zone} is not a zone of {resource}")
        now, lasting = self._now(), _lasting(asked["expiresIn"])
        for shift in self._active(region, resource):
            raise _Error(
                HTTPStatus.CONFLICT,
                "ConflictException",
                "The resource is shifted already",
                reason="ZonalShiftAlreadyExists",
                zonalShiftId=shift.id,
            )
        made = Shift(str(uuid.uuid4()), resource, zone, now, now + lasting, asked["comment"])
        self._shifts.setdefault(region, []).append(made)
        return made.told(status=ACTIVE)

    def _cancel(self, region: str, shift_id: str) -> dict[str, Any]:
        shift = self._active_one(region, shift_id)
        shift.cancelled = True
        return shift.told(status=CANCELED)

    def _update(self, region: str, shift_id: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        shift = self._active_one(region, shift_id)
        if "expiresIn" in asked:
            shift.expiry = self._now() + _lasting(asked["expiresIn"])
        shift.comment = asked.get("comment", shift.comment)
        return shift.told(status=ACTIVE)

    def _list(self, region: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        found = [shift.told(status=shift.status(self._now())) for shift in self._shifts.get(region, [])]
        wanted = {name: query[name][0] for name in ("status", "resourceIdentifier") if name in query}
        return {"items": [item for item in found if wanted.items() <= item.items()]}

    def _resource(self, region: str, arn: str) -> dict[str, Any]:
        balancer = _balancer(region, arn)
        active = self._active(region, arn)
        away = {shift.away_from: 0.0 for shift in active}
        return {
            "arn": arn,
            "name": balancer.name,
            "appliedWeights": _weights(balancer) | away,
            "zonalShifts": [shift.told(appliedStatus="APPLIED") for shift in active],
            "autoshifts": [],
            "zonalAutoshiftStatus": "DISABLED",
        }

    def _active(self, region: str, resource: str) -> list[Shift]:
        now = self._now()
        mine = (shift for shift in self._shifts.get(region, []) if shift.resource == resource)
        return [shift for shift in mine if shift.status(now) == ACTIVE]

    def _active_one(self, region: str, shift_id: str) -> Shift:
        for shift in self._shifts.get(region, []):
            if shift.id == shift_id:
                if shift.status(self._now()) == ACTIVE:
                    return shift
                message, reason = "The zonal shift is not active", "ZonalShiftStatusNotActive"
                raise _Error(HTTPStatus.CONFLICT, "ConflictException", message, reason=reason, zonalShiftId=shift_id)
        raise _not_found(shift_id)


def _lasting(expires_in: str) -> timedelta:
    match = _EXPIRES_IN.fullmatch(expires_in)
    unit = {"m": "minutes", "h": "hours"}
    found = timedelta(**{unit[match[2]]: int(match[1])}) if match else None
    if found is None or found > LONGEST:
        raise _invalid("InvalidExpiresIn", f"{expires_in!r} is not 1m to 72h")
    return found


def _balancer(region: str, arn: str) -> FakeLoadBalancer:
    """The load balancer, if it is opted in."""
    balancer = elbv2_backends[ACCOUNT][region].load_balancers.get(arn)
    if balancer is None or balancer.type not in SHIFTABLE or balancer.attrs.get(ENABLED) != "true":
        raise _not_found(arn)
    return balancer


def _opted_in(region: str) -> list[str]:
    balancers = elbv2_backends[ACCOUNT][region].load_balancers
    return [arn for arn, each in balancers.items() if each.type in SHIFTABLE and each.attrs.get(ENABLED) == "true"]


def _weights(balancer: FakeLoadBalancer) -> dict[str, float]:
    return {subnet._availability_zone.zone_id: 1.0 for subnet in balancer.subnets}


def _invalid(reason: str, message: str) -> _Error:
    return _Error(HTTPStatus.BAD_REQUEST, "ValidationException", message, reason=reason)


def _not_found(what: str) -> _Error:
    return _Error(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", f"{what} is not known, or not opted in")
