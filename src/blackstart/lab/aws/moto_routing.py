"""Routing controls of ARC, which moto does not have: an application in front of it that answers for them.

Clusters, control panels, routing controls and safety rules are made through ARC's control plane (of us-west-2); their
states are read and changed through the endpoints of a cluster, of which the lab's one AWS endpoint stands for all five,
told apart by the region in the signature. Everything is deployed at once; nothing can be deleted or renamed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto.route53.models import HealthCheck

from blackstart.lab.aws import wsgi
from blackstart.lab.aws.signature import ACCOUNT, scope_of

CONFIG, DATA = "route53-recovery-control-config", "route53-recovery-cluster"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
ON, OFF = "On", "Off"
MOST_AT_ONCE = 10

_ARN = f"arn:aws:route53-recovery-control::{ACCOUNT}"

Json = dict[str, Any]


class _Error(Exception):
    """An error of the API, by its code."""

    def __init__(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class _Made:
    """What was made, by ARN: as the API tells of it, and tags."""

    told: dict[str, Json] = field(default_factory=dict)
    tags: dict[str, Mapping[str, str]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)  # of routing controls


class RoutingControls:
    """WSGI in front of ``moto``. Called by one thread at a time."""

    def __init__(self, moto: wsgi.Application) -> None:
        self._moto = moto
        self._made = _Made()

    def __call__(self, environ: wsgi.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        scope = scope_of(environ.get("HTTP_AUTHORIZATION", ""), "")
        if scope is None or scope.service not in (CONFIG, DATA):
            return self._moto(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        asked: Json = json.loads(body or b"{}")
        headers = [("Content-Type", "application/json")]
        status, answer = HTTPStatus.OK, {}
        try:
            answer = self._state(environ, asked) if scope.service == DATA else self._config(environ, asked)
        except _Error as error:
            status, answer = error.status, {"__type": error.code, "message": str(error)}
            headers.append(("x-amzn-ErrorType", error.code))
        start_response(f"{status.value} {status.phrase}", headers)
        return [json.dumps(answer).encode()]

    def _state(self, environ: wsgi.Environ, asked: Json) -> Json:
        match environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]:
            case "GetRoutingControlState":
                return self._shown(asked["RoutingControlArn"])
            case "ListRoutingControls":
                panel = asked.get("ControlPanelArn")
                mine = (arn for arn in self._made.states if panel in (None, self._made.told[arn]["ControlPanelArn"]))
                return {"RoutingControls": [self._shown(arn) for arn in mine]}
            case "UpdateRoutingControlState":
                self._switch({asked["RoutingControlArn"]: asked["RoutingControlState"]})
            case "UpdateRoutingControlStates":
                entries = asked["UpdateRoutingControlStateEntries"]
                if len(entries) > MOST_AT_ONCE:
                    raise _Error("ServiceLimitExceededException", f"{len(entries)} routing controls at once")
                self._switch({each["RoutingControlArn"]: each["RoutingControlState"] for each in entries})
            case operation:
                raise _Error("NotImplemented", f"the lab has no {operation}", HTTPStatus.NOT_IMPLEMENTED)
        return {}

    def _shown(self, arn: str) -> Json:
        control = self._found(arn)
        return {
            "ControlPanelArn": control["ControlPanelArn"],
            "RoutingControlArn": arn,
            "RoutingControlName": control["Name"],
            "RoutingControlState": self._made.states[arn],
        }

    def _switch(self, wanted: Mapping[str, str]) -> None:
        """All of ``wanted``, or none if a safety rule is against it; there is no way past a rule here."""
        for arn in wanted:
            self._found(arn)
        after = {**self._made.states, **wanted}
        for rule in self._made.told.values():
            if "AssertedControls" in rule and wanted.keys() & set(rule["AssertedControls"]):
                held = _holds(rule["RuleConfig"], [after[arn] for arn in rule["AssertedControls"]])
            elif "GatingControls" in rule and wanted.keys() & set(rule["TargetControls"]):
                held = _holds(rule["RuleConfig"], [self._made.states[arn] for arn in rule["GatingControls"]])
            else:
                continue
            if not held:
                raise _Error("ConflictException", f"the safety rule {rule['Name']} would not be kept")
        self._made.states = after

    def _config(self, environ: wsgi.Environ, asked: Json) -> Json:
        _, collection, key = [*environ["PATH_INFO"].split("/", 2), ""][:3]
        match environ["REQUEST_METHOD"], collection, key.rpartition("/")[2]:
            case "POST", "cluster", _:
                return {"Cluster": self._cluster(asked, environ["HTTP_HOST"])}
            case "POST", "controlpanel", _:
                return {"ControlPanel": self._panel(asked)}
            case "POST", "routingcontrol", _:
                return {"RoutingControl": self._control(asked)}
            case "POST", "safetyrule", _:
                return self._rule(asked)
            case "GET", "cluster", "":
                return {"Clusters": self._all(f"{_ARN}:cluster/")}
            case "GET", "controlpanels", _:
                of = parse_qs(environ["QUERY_STRING"]).get("ClusterArn", [""])[0]
                panels = self._all(f"{_ARN}:controlpanel/")
                return {"ControlPanels": [each for each in panels if of in ("", each["ClusterArn"])]}
            case "GET", "controlpanel", "routingcontrols":
                panel = key.removesuffix("/routingcontrols")
                return {"RoutingControls": self._all(f"{panel}/routingcontrol/")}
            case "GET", "tags", _:
                self._found(key)
                return {"Tags": self._made.tags[key]}
            case "GET", "cluster" | "controlpanel" | "routingcontrol", _:
                kinds = {"cluster": "Cluster", "controlpanel": "ControlPanel", "routingcontrol": "RoutingControl"}
                return {kinds[collection]: self._found(key)}
        message = f"the lab has no {environ['REQUEST_METHOD']} of {collection}"
        raise _Error("NotImplemented", message, HTTPStatus.NOT_IMPLEMENTED)

    def _cluster(self, asked: Json, host: str) -> Json:
        arn = f"{_ARN}:cluster/{uuid.uuid4()}"
        endpoints = [{"Region": region, "Endpoint": f"http://{host}/v1"} for region in REGIONS]
        more = {"ClusterArn": arn, "ClusterEndpoints": endpoints, "Owner": ACCOUNT}
        return self._make(arn, asked["ClusterName"], asked, more)

    def _panel(self, asked: Json) -> Json:
        self._found(asked["ClusterArn"])
        arn = f"{_ARN}:controlpanel/{uuid.uuid4().hex}"
        more = {"ControlPanelArn": arn, "ClusterArn": asked["ClusterArn"], "DefaultControlPanel": False}
        return self._make(arn, asked["ControlPanelName"], asked, more)

    def _control(self, asked: Json) -> Json:
        panel = self._found(asked["ControlPanelArn"])["ControlPanelArn"]
        arn = f"{panel}/routingcontrol/{uuid.uuid4().hex[:16]}"
        self._made.states[arn] = OFF
        more = {"RoutingControlArn": arn, "ControlPanelArn": panel}
        return self._make(arn, asked["RoutingControlName"], asked, more)

    def _rule(self, asked: Json) -> Json:
        ((kind, rule),) = ((kind, asked[kind]) for kind in ("AssertionRule", "GatingRule") if kind in asked)
        panel = self._found(rule["ControlPanelArn"])["ControlPanelArn"]
        for name in ("AssertedControls", "GatingControls", "TargetControls"):
            for control in rule.get(name, ()):
                self._found(control)
        arn = f"{panel}/safetyrule/{uuid.uuid4().hex[:16]}"
        return {kind: self._make(arn, rule["Name"], asked, {**rule, "SafetyRuleArn": arn})}

    def _make(self, arn: str, name: str, asked: Json, more: Json) -> Json:
        self._made.tags[arn] = asked.get("Tags") or {}
        self._made.told[arn] = {"Name": name, "Status": "DEPLOYED", **more}
        return self._made.told[arn]

    def _found(self, arn: str) -> Json:
        if arn not in self._made.told:
            raise _Error("ResourceNotFoundException", f"there is no {arn}", HTTPStatus.NOT_FOUND)
        return self._made.told[arn]

    def _all(self, below: str) -> list[Json]:
        """What was made directly below an ARN."""
        return [told for arn, told in self._made.told.items() if f"{arn.rpartition('/')[0]}/" == below]


def following(made: HealthCheck, control: str) -> HealthCheck:
    """The health check of Route 53 that follows a routing control, and looks at no endpoint."""
    kind: Any = _Following  # whose abstract methods moto leaves out, too
    found: HealthCheck = kind(made, control)
    return found


class _Following(HealthCheck):
    def __init__(self, made: HealthCheck, control: str) -> None:
        vars(self).update(vars(made))
        self._control = control

    @property
    def health_check_config(self) -> Json:
        config: Json = super().health_check_config
        return config | {"RoutingControlArn": self._control}


def _holds(rule: Mapping[str, Any], states: list[str]) -> bool:
    """Whether as many are On as the rule wants, or just not so many, if it is inverted."""
    least = {"AND": len(states), "OR": 1, "ATLEAST": int(rule.get("Threshold", 0))}[rule["Type"]]
    return (states.count(ON) >= least) != bool(rule.get("Inverted", False))
