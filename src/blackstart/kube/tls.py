"""TLS to an API server: whom to trust, and the certificate to show."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass

from blackstart.errors import ConfigInvalid
from blackstart.kube.login import Credentials


@dataclass(frozen=True)
class Trust:
    """``authority``: PEM, empty for those of the system. ``name``: what the certificate has to say, "" for the host."""

    authority: bytes = b""
    checked: bool = True
    name: str = ""

    def context(self, credentials: Credentials) -> ssl.SSLContext:
        """ConfigInvalid if a certificate or key is none. Blocking: reads the system's authorities."""
        try:
            found = ssl.create_default_context(cadata=self.authority.decode() if self.authority else None)
            # Older clusters' authorities lack the extensions that Python asks for from 3.13; kubectl does not ask.
            found.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if not self.checked:
                found.check_hostname = False
                found.verify_mode = ssl.CERT_NONE
            if credentials.certificate:
                with tempfile.NamedTemporaryFile() as file:  # the ssl module reads files only; mode 0600
                    file.write(credentials.certificate + b"\n" + credentials.key)
                    file.flush()
                    found.load_cert_chain(file.name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigInvalid("the kubeconfig", "certificates", f"cannot be used ({error})") from error
        return found
