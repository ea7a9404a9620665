"""The tables of ``blackstart.toml`` for what becomes of journals: where they go, who is told, what must be drilled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("not an http:// or https:// address")
    return url


Http = Annotated[str, AfterValidator(_http)]
Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Archive(_Table):
    """``[archive]``: a copy of each journal in an S3 bucket, outside the regions that drills break. Empty: none."""

    url: str = Field(
        default="",
        pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#]*)?)?$",
        description="s3://bucket/prefix; a journal's files come below prefix/experiment/start/; empty: no copy",
    )
    region: str = Field(default="", description="the bucket's")
    object_lock_days: int = Field(default=0, ge=0, description="for so long nobody can delete a copy; 0: no lock")
    mode: Literal["governance", "compliance"] = "governance"
    kms_key: str = Field(default="", description="ARN or id of a KMS key; empty: as the bucket does by default")

    @model_validator(mode="after")
    def _region_is_told(self) -> Self:
        if self.url and not self.region:
            raise ValueError("names no region, so nobody can tell whether the bucket would outlive what drills break")
        return self


class Redact(_Table):
    """``[redact]``: what else no journal may hold, beside secrets and personal data of the usual shapes."""

    patterns: tuple[str, ...] = Field(default=(), description="regular expressions, as Python has them")

    @field_validator("patterns")
    @classmethod
    def _usable(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression ({error})") from error
            if compiled.match(""):
                raise ValueError(f"{pattern!r} matches nothing at all, so it would be everywhere")
        return patterns


class _Told(_Table):
    """``on``: at which moments. A drill ends with one of the three verdicts."""

    on: tuple[Literal["started", "passed", "failed", "inconclusive"], ...] = ("passed", "failed", "inconclusive")


class Grafana(_Table):
    """``[publish.grafana]``: an annotation from the fault to the recovery, there as soon as the drill begins."""

    url: Http
    token_file: str = Field(default="", description="file with a service account's token, read anew each time")
    token_env: str = Field(default="", description="or the environment variable that holds it")
    dashboard_uid: str = Field(
        default="", description="show it on this dashboard alone; empty: wherever it is asked for"
    )
    tags: tuple[Text, ...] = Field(default=(), description="beside those that every drill gets")


class Textfile(_Table):
    """``[publish.textfile]``: the newest drill of each experiment, as a file for node_exporter's textfile collector."""

    folder: Text


class Pushgateway(_Table):
    """``[publish.pushgateway]``: the same metrics, pushed."""

    url: Http
    job: Text = "blackstart"
    token_file: str = ""
    token_env: str = ""


class CloudWatchTarget(_Table):
    """``[publish.cloudwatch]``: the same metrics, in a region outside the blast radius."""

    region: Text
    namespace: Text = Field(default="Blackstart", pattern="^[A-Za-z0-9_./#:-]+$", max_length=255)

    @field_validator("namespace")
    @classmethod
    def _not_of_aws(cls, namespace: str) -> str:
        if namespace.startswith("AWS/"):
            raise ValueError("AWS keeps namespaces that begin with AWS/ for itself")
        return namespace


class OpenTelemetry(_Table):
    """``[publish.opentelemetry]``: the drill as a trace, by OTLP over HTTP as JSON."""

    url: Http = Field(description="of the collector, such as http://collector:4318; /v1/traces is added if missing")
    headers: Mapping[str, str] = Field(default_factory=dict, description="such as X-Scope-OrgID; no secrets")
    token_file: str = ""
    token_env: str = ""


class Webhook(_Told):
    """``[[publish.webhook]]``: a POST of JSON, signed if there is a secret; docs/publish.md."""

    name: Text
    url: Http | None = Field(default=None, description="its path and query are in no message")
    url_file: str = Field(default="", description="or a file that holds it")
    url_env: str = Field(default="", description="or an environment variable")
    secret_file: str = Field(default="", description="file with the secret that signs, read anew each time")
    secret_env: str = ""

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if sum(map(bool, (self.url, self.url_file, self.url_env))) != 1:
            raise ValueError("needs exactly one of url, url_file and url_env")
        return self


class Slack(_Told):
    """``[[publish.slack]]``: a message to an incoming webhook, whose address is a secret."""

    name: Text = "slack"
    url_file: str = Field(default="", description="file with the address, read anew each time")
    url_env: str = Field(default="", description="or the environment variable that holds it")

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if bool(self.url_file) == bool(self.url_env):
            raise ValueError(
                "needs exactly one of url_file and url_env: the address is a secret, so it is not written here"
            )
        return self


class Publish(_Table):
    """``[publish]``: who is told of a drill, and how. Empty: nobody. Secrets are in files or in the environment."""

    report_url: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="where people open the report; {experiment}, {folder} and {drill} are filled in; empty: no link",
    )
    grafana: Grafana | None = None
    textfile: Textfile | None = None
    pushgateway: Pushgateway | None = None
    cloudwatch: CloudWatchTarget | None = None
    opentelemetry: OpenTelemetry | None = None
    webhook: tuple[Webhook, ...] = ()
    slack: tuple[Slack, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether anybody is told at all."""
        return self != Publish(report_url=self.report_url)


class Coverage(_Table):
    """``[coverage]``: which failures of which systems must be drilled, and how often. Empty: nothing is asked for."""

    catalogue: str = Field(default="", description="YAML file that says so, beside blackstart.toml; docs/history.md")
