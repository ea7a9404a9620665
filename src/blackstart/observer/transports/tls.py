"""TLS towards a target, and what it showed: version, cipher and certificate, noted when they change."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from blackstart.clock import iso
from blackstart.errors import ConfigInvalid

HTTP_1, HTTP_2 = ("http/1.1",), ("h2",)

Note = Callable[..., None]


class Tls:
    """Checks certificates against ``ca_file`` ("" for the system's) and the name ``host``.

    ``protocols`` are offered (ALPN). ``note`` gets what each address showed, as fields of an event "tls", whenever it
    differs from what that address showed before. ConfigInvalid when ``ca_file`` cannot be used.
    """

    def __init__(self, host: str, ca_file: str, protocols: Sequence[str], note: Note) -> None:
        self.host = host
        try:
            self.context = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigInvalid("settings", "ca_file", f"{ca_file} cannot be used: {error}") from error
        if protocols:
            self.context.set_alpn_protocols(list(protocols))
        self._note = note
        self._seen: dict[str, Mapping[str, Any]] = {}

    def shown(self, address: str, connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        """A connection to ``address`` is up."""
        self._tell(address, described(connection))

    def refused(self, address: str, error: ssl.SSLError) -> None:
        """A connection to ``address`` came to nothing in its handshake."""
        said = getattr(error, "verify_message", "") or error.reason or str(error)
        self._tell(address, {"problem": str(said)})

    def keep_only(self, addresses: Iterable[str]) -> None:
        """Forget what all other addresses showed."""
        self._seen = {address: self._seen[address] for address in addresses if address in self._seen}

    def _tell(self, address: str, found: Mapping[str, Any]) -> None:
        if self._seen.get(address) != found:
            self._seen[address] = found
            self._note(host=self.host, address=address, **found)


def described(connection: ssl.SSLObject | ssl.SSLSocket) -> dict[str, Any]:
    """Version, cipher and certificate of ``connection``; ``not_after`` ISO 8601 in UTC, ``sha256`` of the DER."""
    certificate: Mapping[str, Any] = connection.getpeercert() or {}
    encoded = connection.getpeercert(binary_form=True) or b""
    cipher = connection.cipher()
    ends = certificate.get("notAfter")
    return {
        "version": connection.version() or "",
        "cipher": cipher[0] if cipher else "",
        "protocol": connection.selected_alpn_protocol() or "",
        "subject": _name(certificate.get("subject", ())),
        "issuer": _name(certificate.get("issuer", ())),
        "not_after": iso(datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)) if ends else "",
        "sha256": hashlib.sha256(encoded).hexdigest() if encoded else "",
    }


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    return ", ".join(f"{key}={value}" for part in parts for key, value in part)
