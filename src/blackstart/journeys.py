"""``[[journeys]]`` of ``blackstart.toml``: what kinds of users the observer plays, and how large a share each has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Protocol = Literal["http/1.1", "http/2", "postgresql", "redis", "tcp"]

HTTP: tuple[str, ...] = ("http/1.1", "http/2")
USERS = "users"  # the one journey, where none is told
SUM_ERROR = 1e-6

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([1-9][0-9]{0,4})")
SECRETS = (
    re.compile(r"[?&](password|passwd|pwd|secret|token|access_token|api_?key)=", re.IGNORECASE),
    re.compile(r"\bpassword\s*[='\"]", re.IGNORECASE),
    re.compile(r"^\s*auth\s|\bhello\b.*\sauth\s", re.IGNORECASE),
)


def holds_secret(text: str) -> bool:
    """Whether ``text`` (a path, SQL or a command) seems to hold a password. Pure."""
    return any(pattern.search(text) for pattern in SECRETS)


def split(target: str) -> tuple[str, int]:
    """``host:port`` as host and port; ValueError for anything else. Pure."""
    found = ADDRESS.fullmatch(target)
    if not found or not int(found[2]) < 65536:
        raise ValueError(f'"{target}" is not host:port')
    return found[1].strip("[]"), int(found[2])


class Journey(BaseModel):
    """One kind of user. In paths, statements and commands ``{number}`` stands for a number from 1 to 499.

    Passwords have no place here, as in ``[stores]``: the journal keeps these settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$", description="what the report calls it: checkout")
    share: float = Field(gt=0, le=1, description="share of the requests; those of all journeys sum to 1")
    protocol: Protocol = "http/1.1"
    tls: bool = False
    ca_file: str = Field(
        default="", description="PEM file that the certificate is checked against; empty: the system's"
    )
    target: str = Field(
        default="",
        description="host:port, or for PostgreSQL and Redis a region of [stores]; empty, for HTTP only: the service",
    )
    read: str = Field(default="", description="path, statement, command, or what TCP sends; empty, for HTTP: read_path")
    write: str = Field(default="", description="the same for writes; empty, for HTTP: the service's write_path")
    write_share: float | None = Field(default=None, ge=0, le=1, description="empty: for HTTP the observer's, else 0")
    expect: str = Field(default="", description="what a TCP answer begins with; empty: being connected is enough")

    @model_validator(mode="after")
    def _usable(self) -> Journey:
        for key, text in (("read", self.read), ("write", self.write), ("expect", self.expect)):
            if holds_secret(text):
                raise ValueError(f'{key} of journey "{self.name}" seems to hold a password; journals would keep it')
        if self.expect and self.protocol != "tcp":
            raise ValueError(f'journey "{self.name}" has expect, which is for tcp alone')
        if self.protocol not in HTTP:
            self._check_other()
        return self

    def _check_other(self) -> None:
        if not self.target:
            raise ValueError(f'journey "{self.name}" has no target')
        statements = self.protocol != "tcp"
        if statements and not self.read and (self.write_share or 0) < 1:
            raise ValueError(f'journey "{self.name}" has nothing to read')
        if statements and not self.write and (self.write_share or 0) > 0:
            raise ValueError(f'journey "{self.name}" has nothing to write')


def problem(journeys: Sequence[Journey], stores: Mapping[str, Collection[str]]) -> str:
    """What is wrong with ``journeys`` as a whole, "" if nothing; ``stores``: the regions of [stores] that each protocol
    may name as its target. Pure."""
    if not journeys:
        return ""
    names = [each.name for each in journeys]
    if len(set(names)) < len(names):
        return "two journeys have the same name"
    if len(names) > 255:
        return "there are more than 255 journeys"
    total = sum(each.share for each in journeys)
    if abs(total - 1) > SUM_ERROR:
        return f"the shares of the journeys sum to {total:g} and not to 1"
    for each in journeys:
        if not each.target or each.target in stores.get(each.protocol, ()):
            continue
        try:
            split(each.target)
        except ValueError as error:
            return f'the target of journey "{each.name}": {error}'
    return ""
