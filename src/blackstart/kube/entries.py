"""Parts of a kubeconfig, read with care: what does not have the right shape is named by its file and key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.errors import ConfigInvalid


@dataclass(frozen=True)
class Entry:
    """``data`` at the key ``where`` of the file ``path``, in whose ``folder`` relative file names begin."""

    path: str
    where: str
    data: Mapping[str, Any]
    folder: Path

    def text(self, key: str) -> str:
        """The value as text; "" if there is none."""
        value = self.data.get(key)
        if isinstance(value, dict | list):
            raise self.invalid(key, "has to be text")
        return "" if value is None else str(value)

    def sequence(self, key: str) -> Sequence[Any]:
        value = self.data.get(key)
        if value is not None and not isinstance(value, list):
            raise self.invalid(key, "has to be a list")
        return value or ()

    def below(self, key: str) -> Entry:
        value = self.data.get(key)
        if not isinstance(value, dict):
            raise self.invalid(key, "has to be a mapping")
        return Entry(self.path, self._place(key), value, self.folder)

    def content(self, key: str) -> bytes:
        """What ``key-data`` holds (base64), or else the file that ``key`` names; nothing if there is neither."""
        encoded, name = self.text(f"{key}-data"), self.text(key)
        try:
            if encoded:
                return base64.b64decode(encoded)
            return (self.folder / name).read_bytes() if name else b""
        except (OSError, binascii.Error) as error:
            raise self.invalid(f"{key}-data" if encoded else key, f"cannot be read ({error})") from error

    def encoded(self, key: str) -> str:
        """The same in base64."""
        return base64.b64encode(self.content(key)).decode()

    def invalid(self, key: str, problem: str) -> ConfigInvalid:
        return ConfigInvalid(self.path, self._place(key), problem)

    def _place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key
