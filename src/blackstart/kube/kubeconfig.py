"""Where an API server is and how to log in there: from kubeconfig files, or in a pod from its service account."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blackstart.clock import Clock, SystemClock
from blackstart.errors import ConfigInvalid
from blackstart.kube import login
from blackstart.kube.entries import Entry
from blackstart.kube.login import Credentials, Login
from blackstart.kube.proxies import from_environment
from blackstart.kube.tls import Trust

IN_CLUSTER = "in-cluster"
"""How the cluster of the own pod is called, which has no name that a pod could know."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
UNUSABLE = {
    "auth-provider": "log in by exec",
    "as-groups": "act as a user who is in these groups",
    "as-user-extra": "act as a user without",
}
IMPERSONATED = {"as": "Impersonate-User", "as-uid": "Impersonate-Uid"}
EXTENSION = "client.authentication.k8s.io/exec"


@dataclass(frozen=True)
class Access:
    """How to reach one cluster. ``cluster`` is its name in the kubeconfig; ``proxy`` a URL, "" for none."""

    cluster: str
    server: str
    trust: Trust
    login: Login
    proxy: str = ""


def access(
    environ: Mapping[str, str],
    context: str = "",
    clock: Clock | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Access to the cluster of ``context``: the name of a context or of its cluster, "" for the current one.

    From the files of ``$KUBECONFIG``, or ``~/.kube/config``; where there is none of them, and in a pod, to its own
    cluster. Runs no login program yet. ConfigInvalid when the files do not say enough.
    """
    clock = clock or SystemClock()
    paths = _paths(environ)
    files = [Entry(str(path), "", _parsed(path), path.parent) for path in paths if path.is_file()]
    if not files and environ.get("KUBERNETES_SERVICE_HOST"):
        return _own_cluster(environ, context, clock, service_account)
    chosen = _context(files, context, str(paths[0]))
    cluster = _named(files, "clusters", chosen.text("cluster"), chosen)
    user = _named(files, "users", chosen.text("user"), chosen) if chosen.text("user") else None
    server = cluster.text("server").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise cluster.invalid("server", "is missing" if not server else "has to begin with https:// or http://")
    proxy = cluster.text("proxy-url")
    if proxy and not proxy.startswith("http://"):
        raise cluster.invalid("proxy-url", "has to begin with http:// here")
    trust = Trust(
        cluster.content("certificate-authority"),
        not cluster.data.get("insecure-skip-tls-verify"),
        cluster.text("tls-server-name"),
    )
    return Access(
        chosen.text("cluster"),
        server,
        trust,
        _login(user, cluster, environ, clock),
        proxy or from_environment(server, environ),
    )


def _paths(environ: Mapping[str, str]) -> list[Path]:
    named = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"]


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigInvalid(str(path), "", f"cannot be read as a kubeconfig ({error})") from error
    if not isinstance(data, dict):
        raise ConfigInvalid(str(path), "", "is not a kubeconfig")
    return data


def _own_cluster(environ: Mapping[str, str], context: str, clock: Clock, account: Path) -> Access:
    if context not in ("", IN_CLUSTER):
        problem = f'no context has this name: there is no kubeconfig, and of this pod the cluster is "{IN_CLUSTER}"'
        raise ConfigInvalid("the Kubernetes service account", context, problem)
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        authority = (account / "ca.crt").read_bytes()
    except OSError as error:
        raise ConfigInvalid(str(account / "ca.crt"), "", f"cannot be read ({error})") from error
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    mine = Login(lambda: login.from_file(account / "token", {}, clock), clock)
    return Access(IN_CLUSTER, server, Trust(authority), mine, from_environment(server, environ))


def _all(files: list[Entry], section: str) -> Iterator[tuple[str, Entry]]:
    """Every entry of ``section`` with its name, the first of each name: later files never change earlier ones."""
    seen: set[str] = set()
    for file in files:
        for number, each in enumerate(file.sequence(section)):
            if not isinstance(each, dict) or not isinstance(each.get(section[:-1]) or {}, dict):
                raise ConfigInvalid(file.path, f"{section}[{number}]", f"is no {section[:-1]}")
            name = str(each.get("name", ""))
            if name not in seen:
                seen.add(name)
                yield name, Entry(file.path, f"{section}[{name}]", each.get(section[:-1]) or {}, file.folder)


def _context(files: list[Entry], wanted: str, where: str) -> Entry:
    name = wanted or next((each.text("current-context") for each in files if each.text("current-context")), "")
    if not name:
        raise ConfigInvalid(where, "current-context", "is not set, and no context was named")
    found = dict(_all(files, "contexts"))
    by_cluster = (each for each in found.values() if each.text("cluster") == name)
    chosen = found.get(name) or next(by_cluster, None)
    if chosen is None:
        have = ", ".join(found) or "none"
        raise ConfigInvalid(where, name, f"no context has this name or this cluster (there are: {have})")
    return chosen


def _named(files: list[Entry], section: str, name: str, asked: Entry) -> Entry:
    found = dict(_all(files, section)).get(name)
    if found is None:
        raise asked.invalid(section[:-1], f'there is no "{name}" among the {section}' if name else "is missing")
    return found


def _login(user: Entry | None, cluster: Entry, environ: Mapping[str, str], clock: Clock) -> Login:
    if user is None:
        return Login(Credentials, clock)
    for part, advice in UNUSABLE.items():
        if user.data.get(part):
            raise user.invalid(part, f"cannot be used here; {advice}")
    more = {header: user.text(part) for part, header in IMPERSONATED.items() if user.text(part)}
    if user.data.get("exec"):
        program = _program(user.below("exec"), cluster, environ)
        return Login(lambda: program.run(more), clock)
    token_file = user.text("tokenFile")
    if token_file:
        return Login(lambda: login.from_file(user.folder / token_file, more, clock), clock)
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if bool(certificate) != bool(key):
        raise user.invalid("client-key" if certificate else "client-certificate", "is missing")
    given = Credentials({**more, **_authorization(user)}, certificate, key)
    return Login(lambda: given, clock)


def _authorization(user: Entry) -> dict[str, str]:
    if user.text("token"):
        return login.bearer(user.text("token"))
    return login.basic(user.text("username"), user.text("password")) if user.text("username") else {}


def _program(told: Entry, cluster: Entry, environ: Mapping[str, str]) -> login.Program:
    version, command = told.text("apiVersion"), told.text("command")
    for key, value in (("apiVersion", version), ("command", command)):
        if not value:
            raise told.invalid(key, "is missing")
    if told.text("interactiveMode") == "Always":
        raise told.invalid("interactiveMode", "Always needs somebody at a keyboard, and there is nobody")
    if os.sep in command:
        command = str(told.folder / command)
    added = {}
    for each in told.sequence("env"):
        if not isinstance(each, dict) or "name" not in each:
            raise told.invalid("env", "each has to have a name and a value")
        added[str(each["name"])] = str(each.get("value", ""))
    spec: dict[str, Any] = {"interactive": False}
    if told.data.get("provideClusterInfo"):
        spec["cluster"] = _described(cluster)
    request = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    arguments = [str(each) for each in told.sequence("args")]
    return login.Program([command, *arguments], {**environ, **added}, request, told.text("installHint"))


def _described(cluster: Entry) -> dict[str, Any]:
    """The cluster, as login programs are told of it."""
    keys = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    found = {key: cluster.data[key] for key in keys if cluster.data.get(key)}
    authority = cluster.encoded("certificate-authority")
    if authority:
        found["certificate-authority-data"] = authority
    for each in cluster.sequence("extensions"):
        if isinstance(each, dict) and each.get("name") == EXTENSION:
            found["config"] = each.get("extension")
    return found
