"""What PostgreSQL says that libpq tells in words alone. Light to load: small programs need it, too."""

from __future__ import annotations

import psycopg

CONNECT_SECONDS = 3
_FULL = ("too many clients", "remaining connection slots", "too many connections")


def full(error: psycopg.Error) -> bool:
    """Whether a server refused a connection because it has none left for us."""
    return isinstance(error, psycopg.OperationalError) and says_full(str(error))


def says_full(said: str) -> bool:
    """The same, of its words."""
    return any(words in said for words in _FULL)


def told(error: psycopg.Error) -> str:
    """The line that says what went wrong."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
