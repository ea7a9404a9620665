"""Reads a kubeconfig: where a context's API server is, and how to log in.

The official client would do, but importing it takes longer (two seconds) than starting the whole observer.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from blackstart.errors import ConfigInvalid, ServiceUnreachable

EXEC_SECONDS = 20


@dataclass(frozen=True)
class Access:
    """How to reach one cluster. ``tls`` is None for plain HTTP; ``headers`` carry the credentials."""

    server: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str]


@dataclass(frozen=True)
class _Entry:
    path: Path  # relative file names inside are relative to it
    data: Mapping[str, Any]


def access(environ: Mapping[str, str], context: str = "") -> Access:
    """Access to the cluster of ``context`` ("": the current one), from ``$KUBECONFIG`` or ``~/.kube/config``.

    Blocking: may run a login program. ConfigInvalid when the files do not say enough, ServiceUnreachable when the
    login program fails.
    """
    paths = _paths(environ)
    files = [_Entry(path, _parsed(path)) for path in paths if path.is_file()]
    where = str(paths[0])
    name = context or next(
        (str(each.data["current-context"]) for each in files if each.data.get("current-context")), ""
    )
    chosen = _named(files, "contexts", "context", name, where)
    cluster = _named(files, "clusters", "cluster", str(chosen.data.get("cluster", "")), where)
    user = _named(files, "users", "user", str(chosen.data.get("user", "")), where) if chosen.data.get("user") else None
    server = str(cluster.data.get("server", ""))
    if not server:
        raise ConfigInvalid(str(cluster.path), "clusters", f"the cluster of context {name} has no server")
    login = _login(user, environ) if user else {}
    tls = _tls(cluster, user, login) if server.startswith("https:") else None
    return Access(server.rstrip("/"), tls, _headers(user, login))


def _paths(environ: Mapping[str, str]) -> list[Path]:
    named = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"]


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigInvalid(str(path), "", f"cannot be read as a kubeconfig ({error})") from error
    if not isinstance(data, dict):
        raise ConfigInvalid(str(path), "", "is not a kubeconfig")
    return data


def _named(files: list[_Entry], section: str, part: str, name: str, where: str) -> _Entry:
    for file in files:
        for each in file.data.get(section) or ():
            if each.get("name") == name:
                return _Entry(file.path, each.get(part) or {})
    raise ConfigInvalid(where, section, f'has no "{name}"; `kubectl config get-contexts` lists what there is')


def _bytes(entry: _Entry, key: str) -> bytes | None:
    """What ``key-data`` holds (base64), or the file that ``key`` names."""
    if entry.data.get(f"{key}-data"):
        return base64.b64decode(entry.data[f"{key}-data"])
    if entry.data.get(key):
        return (entry.path.parent / str(entry.data[key])).read_bytes()
    return None


def _headers(user: _Entry | None, login: Mapping[str, str]) -> dict[str, str]:
    data = user.data if user else {}
    token = login.get("token") or data.get("token")
    if user and not token and data.get("tokenFile"):
        token = (user.path.parent / str(data["tokenFile"])).read_text(encoding="utf-8").strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if data.get("username"):
        pair = f"{data['username']}:{data.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _tls(cluster: _Entry, user: _Entry | None, login: Mapping[str, str]) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.data.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate = login.get("clientCertificateData", "").encode() or (
        _bytes(user, "client-certificate") if user else None
    )
    secret = login.get("clientKeyData", "").encode() or (_bytes(user, "client-key") if user else None)
    if certificate and secret:
        with tempfile.NamedTemporaryFile() as file:  # the ssl module takes certificates from files only; mode 0600
            file.write(certificate + b"\n" + secret)
            file.flush()
            tls.load_cert_chain(file.name)
    return tls


def _login(user: _Entry, environ: Mapping[str, str]) -> dict[str, str]:
    """The ``status`` of the ExecCredential that the user's login program prints; {} when there is none to run."""
    program = user.data.get("exec")
    if not program:
        return {}
    command = [str(program["command"]), *(str(each) for each in program.get("args") or ())]
    request = {"apiVersion": program["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    added = {str(each["name"]): str(each["value"]) for each in program.get("env") or ()}
    surroundings = {**environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    try:
        done = subprocess.run(command, env=surroundings, capture_output=True, timeout=EXEC_SECONDS, check=True)
        status = json.loads(done.stdout)["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise ServiceUnreachable("log in to Kubernetes", command[0], f"failed ({error})") from error
    return {str(name): str(value) for name, value in status.items()}
