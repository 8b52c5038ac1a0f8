"""psycopg 2: text, executemany and execute_values, named cursors, COPY."""

from __future__ import annotations

import io

import psycopg2
from psycopg2.extensions import connection, cursor
from psycopg2.extras import execute_batch, execute_values

from contract import (
    CHAIN_URL,
    CREATE,
    DIRECT_URL,
    LARGE_READ,
    LARGE_WRITTEN,
    READ,
    SELECT,
    WRITTEN,
    Row,
    check,
    version,
)

INSERT = "INSERT INTO cards VALUES (%s, %s, %s)"

version(
    f"psycopg2 {psycopg2.__version__.split()[0]}, libpq {psycopg2.__libpq_version__ // 10000}"
)


def rows(of: cursor) -> list[Row]:
    """Fetch what is left; a bytea comes as a memoryview."""
    return [
        (name, *(None if field is None else bytes(field) for field in fields))
        for name, *fields in of
    ]


def fetch(db: connection) -> list[Row]:
    """Fetch all rows of the table."""
    with db.cursor() as reader:
        reader.execute(SELECT)
        return rows(reader)


def writes(db: connection) -> None:
    """Write in each of its ways, and have the rows returned."""
    with db, db.cursor() as writer:
        writer.executemany(INSERT, WRITTEN)
    check(fetch(db) == READ, "executemany")
    with db, db.cursor() as writer:
        writer.execute("TRUNCATE cards")
        execute_batch(writer, INSERT, WRITTEN, page_size=2)
    check(fetch(db) == READ, "execute_batch")
    with db, db.cursor() as writer:
        writer.execute("TRUNCATE cards")
        returning = "INSERT INTO cards VALUES %s RETURNING *"
        execute_values(writer, returning, WRITTEN)
        check(rows(writer) == READ, "execute_values, returned")
    with db, db.cursor() as writer:
        writer.execute("SET LOCAL bytea_output = escape")
        check(fetch(db) == READ, "escape format")


def large(db: connection) -> None:
    """Write and read 8 MB."""
    with db.cursor() as writer:
        writer.execute(f"{INSERT} RETURNING *", LARGE_WRITTEN)
        check(rows(writer) == [LARGE_READ], "large")
    db.rollback()


def transactions(db: connection) -> None:
    """Roll back a block, and to a savepoint."""
    with db.cursor() as writer:
        writer.execute("UPDATE cards SET sealed = NULL")
        db.rollback()
        check(fetch(db) == READ, "rolled back")
        writer.execute("SAVEPOINT before")
        writer.execute("DELETE FROM cards")
        writer.execute("ROLLBACK TO before")
    check(fetch(db) == READ, "rolled back to a savepoint")
    db.commit()


def named_cursors(db: connection) -> None:
    """Fetch in pieces, and anew from the middle."""
    with db, db.cursor("by_two", scrollable=True) as reader:
        reader.itersize = 2
        reader.execute(SELECT)
        check(rows(reader) == READ, "a named cursor")
        reader.scroll(1, mode="absolute")
        check(rows(reader) == READ[1:], "a named cursor, scrolled")


def copies(db: connection) -> None:
    """Copy in; copied out, values open."""

    def field(value: str | bytes | None) -> str:
        if value is None:
            return "\\N"
        return value if isinstance(value, str) else rf"\\x{value.hex()}"

    def lines(rows: list[tuple[str, bytes | None, bytes | None]]) -> str:
        return "".join("\t".join(map(field, row)) + "\n" for row in rows)

    with db, db.cursor() as copier:
        copier.execute("TRUNCATE cards")
        copier.copy_expert("COPY cards FROM STDIN", io.StringIO(lines(WRITTEN)))
        check(fetch(db) == READ, "copied in")
        copied = io.StringIO()
        copier.copy_expert(f"COPY ({SELECT}) TO STDOUT", copied)
        check(copied.getvalue() == lines(READ), "copied out opened")


chain = psycopg2.connect(CHAIN_URL, connect_timeout=20)
with chain, chain.cursor() as first:
    first.execute("SET statement_timeout = '20s'")
    first.execute(CREATE)
for step in (writes, large, transactions, named_cursors, copies):
    step(chain)
chain.close()

direct = psycopg2.connect(DIRECT_URL, connect_timeout=20)
check(fetch(direct) == WRITTEN, "the database has it sealed")
direct.close()
