"""Who we are to an API server: credentials that are asked for when they are needed, and renewed before they run out.

``Login`` keeps them for many threads. Where they come from is a function: fixed ones, a file that somebody else renews
(as in a pod), or a login program, as ``aws eks get-token`` is one.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.clock import Clock
from blackstart.errors import ConfigInvalid, ServiceUnreachable

PROGRAM_SECONDS = 20
EARLY = timedelta(seconds=60)
"""How long before they run out credentials are renewed."""
FILE_LASTS = timedelta(seconds=60)
"""For how long a token from a file is taken to be the one in the file."""
AGAIN = timedelta(seconds=5)
"""When a renewal failed and the old credentials still hold: how soon it is tried again."""
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Credentials:
    """``headers`` of each request, or a client certificate with its key (PEM), or both.

    ``expires``: when they run out; None if that is not known.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: bytes = b""
    key: bytes = b""
    expires: datetime | None = field(default=None, compare=False)


class Login:
    """Credentials from ``obtain``, kept until shortly before they run out. Usable from several threads.

    Blocking wherever new ones are needed; ConfigInvalid or ServiceUnreachable, as ``obtain``, if there are none.
    """

    def __init__(self, obtain: Callable[[], Credentials], clock: Clock) -> None:
        self._obtain = obtain
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Credentials | None = None
        self._until = FOREVER

    def kept(self) -> Credentials | None:
        """The credentials, if they are known and good for a while; never blocks."""
        known = self._known
        return known if known is not None and self._clock.now() < self._until else None

    def credentials(self) -> Credentials:
        kept = self.kept()
        return self._renewed() if kept is None else kept

    def renew(self, refused: Credentials) -> Credentials | None:
        """Others than those that a server has ``refused``; None if there are none to be had."""
        with self._lock:
            if self._known is refused:
                self._keep(self._obtain())
            return None if self._known == refused else self._known

    def _renewed(self) -> Credentials:
        with self._lock:
            kept = self.kept()  # by another thread, while this one waited
            if kept is not None:
                return kept
            try:
                return self._keep(self._obtain())
            except ServiceUnreachable:
                old, now = self._known, self._clock.now()
                if old is None or old.expires is None or now >= old.expires:
                    raise
                self._until = now + AGAIN
                return old

    def _keep(self, found: Credentials) -> Credentials:
        for name, value in found.headers.items():
            if "\r" in value or "\n" in value:
                raise ConfigInvalid("the Kubernetes credentials", name, "cannot be sent: there is a line break in it")
        now = self._clock.now()
        left = found.expires - now if found.expires else timedelta()
        # What seems to have run out at birth is due to clocks that differ: the server will say when it is over.
        self._until = FOREVER if left <= timedelta() else now + max(left - EARLY, left / 2)
        self._known = found
        return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def from_file(path: Path, more: Mapping[str, str], clock: Clock) -> Credentials:
    """The token that ``path`` holds now. ConfigInvalid if it holds none."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(str(path), "", f"cannot be read as a token ({error})") from error
    if not token:
        raise ConfigInvalid(str(path), "", "holds no token")
    return Credentials({**more, **bearer(token)}, expires=clock.now() + FILE_LASTS)


@dataclass(frozen=True)
class Program:
    """A login program, as the kubeconfig describes it. ``request`` is the ExecCredential that it is told of."""

    command: Sequence[str]
    environ: Mapping[str, str]
    request: Mapping[str, Any]
    hint: str = ""

    def run(self, more: Mapping[str, str]) -> Credentials:
        """Run it, and read what it prints; ServiceUnreachable if it does not print credentials."""
        surroundings = {**self.environ, "KUBERNETES_EXEC_INFO": json.dumps(self.request)}
        try:
            done = subprocess.run(
                self.command,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROGRAM_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise self._failed(f"is not installed; {self.hint}" if self.hint else "is not installed") from error
        except (OSError, subprocess.SubprocessError) as error:
            raise self._failed(f"failed ({error})") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise self._failed(f"failed ({said[0] if said else f'exit code {done.returncode}'})")
        try:
            return _given(json.loads(done.stdout)["status"], more)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._failed(f"failed (it printed no credentials: {error!r})") from error

    def _failed(self, problem: str) -> ServiceUnreachable:
        return ServiceUnreachable("log in to Kubernetes", self.command[0], problem)


def _given(status: Mapping[str, Any], more: Mapping[str, str]) -> Credentials:
    token = str(status.get("token") or "")
    certificate = str(status.get("clientCertificateData") or "").encode()
    key = str(status.get("clientKeyData") or "").encode()
    if not token and not (certificate and key):
        raise ValueError("neither a token nor a certificate")
    said = status.get("expirationTimestamp")
    expires = datetime.fromisoformat(str(said)) if said else None
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Credentials({**more, **bearer(token)} if token else dict(more), certificate, key, expires)
