"""What the order service keeps in PostgreSQL: orders, and the products that can be ordered.

Orders are idempotent by ``key``. Each also is its own outbox entry: ``sent`` tells whether the queue has it,
``claimed`` since when one of the pods is sending it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from blackstart.lab.orders.connections import Connections

PRODUCTS = 500
# Long enough for a sender to be done, short enough that nobody waits for a receipt.
CLAIM_SECONDS = 2.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    number integer PRIMARY KEY,
    name text NOT NULL,
    price_cents integer NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL UNIQUE,
    item integer NOT NULL,
    quantity integer NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    claimed timestamptz,
    sent boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS orders_unsent ON orders (id) WHERE NOT sent;
"""

READ_BACK = "SELECT key, id AS place FROM orders WHERE key >= %(prefix)s AND starts_with(key, %(prefix)s)"
"""The ledger's question. Identities are given out in the order of inserting, also after a fail-over. A key is
unique, so an order cannot be there twice while that constraint holds; without it each row would be counted."""


@dataclass(frozen=True)
class Order:
    """One order as the database holds it."""

    id: int
    key: str
    item: int
    quantity: int


@dataclass(frozen=True)
class Product:
    """One thing to order; price in cents."""

    number: int
    name: str
    price_cents: int


async def prepare(dsn: str, products: int = PRODUCTS) -> None:
    """Create the tables on the writer at ``dsn`` and fill in the products; again is harmless. psycopg.Error."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(_SCHEMA)
        await connection.execute(
            "INSERT INTO products SELECT n, 'Product ' || n, 100 + (n * 37) %% 9900 FROM generate_series(1, %s::int) n"
            " ON CONFLICT DO NOTHING",
            (products,),
        )


class Store:
    """The order service's statements. Each raises ServiceUnreachable when the database cannot do it in time."""

    def __init__(self, database: Connections) -> None:
        self._database = database

    async def place(self, key: str, item: int, quantity: int) -> Order:
        """Commit the order, or find the one that has this ``key`` already.

        A repeat writes as well: its commit then waits for the same replicas as the first one's, so an answer never
        promises more than what is stored.
        """
        rows = await self._database.run(
            "INSERT INTO orders (key, item, quantity) VALUES (%s, %s, %s)"
            " ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id, key, item, quantity",
            (key, item, quantity),
        )
        return Order(*rows[0])

    async def keys(self, prefix: str, after: str, limit: int) -> list[str] | None:
        """Up to ``limit`` keys that start with ``prefix`` and come after ``after``, in order; None on a read replica.

        A replica may lag, and keys that it does not have yet would look lost.
        """
        rows = await self._database.run(
            "SELECT pg_is_in_recovery(), ARRAY(SELECT key FROM orders WHERE key > %s AND key >= %s"
            " AND key < %s AND starts_with(key, %s) ORDER BY key LIMIT %s)",
            (after, prefix, prefix + "\U0010ffff", prefix, limit),
        )
        replica, keys = rows[0]
        return None if replica else list(keys)

    async def product(self, number: int, timeout_seconds: float) -> Product | None:
        """The product with this number, or None."""
        rows = await self._database.run(
            "SELECT number, name, price_cents FROM products WHERE number = %s", (number,), timeout_seconds
        )
        return Product(*rows[0]) if rows else None

    async def claim_unsent(self, limit: int) -> list[Order]:
        """Up to ``limit`` orders that no queue has and nobody is sending; they are the caller's for CLAIM_SECONDS."""
        rows = await self._database.run(
            "UPDATE orders SET claimed = now() WHERE id IN (SELECT id FROM orders WHERE NOT sent"
            " AND coalesce(claimed, created) < now() - make_interval(secs => %s)"
            " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id, key, item, quantity",
            (CLAIM_SECONDS, limit),
        )
        return [Order(*row) for row in rows]

    async def mark_sent(self, keys: Sequence[str]) -> None:
        """Remember that the queue has these orders."""
        await self._database.run("UPDATE orders SET sent = true WHERE key = ANY(%s)", (list(keys),))

    async def is_writer(self) -> bool:
        """Whether this database takes writes (it is no replica)."""
        rows = await self._database.run("SELECT NOT pg_is_in_recovery()")
        return bool(rows[0][0])
