"""psycopg 3: text and binary, executemany, pipelines, cursors of the server, COPY."""

from __future__ import annotations

import psycopg
from psycopg import pq

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

version(f"psycopg {psycopg.__version__}, libpq {pq.version() // 10000}")


def write(db: psycopg.Connection) -> None:
    """Write all rows, with what is there removed before."""
    with db.transaction(), db.cursor() as cursor:
        cursor.execute("TRUNCATE cards")
        cursor.executemany(INSERT, WRITTEN)


def plain(name: str) -> Row:
    """Give the row of this name as it is read."""
    return next(row for row in READ if row[0] == name)


def rows_in_both_formats(db: psycopg.Connection) -> None:
    """Fetch everything, in text and in binary, prepared or not."""
    for binary in (False, True):
        name = "binary" if binary else "text"
        for prepare in (False, True):
            cursor = db.cursor(binary=binary)
            rows = cursor.execute(SELECT, prepare=prepare).fetchall()
            check(rows == READ, f"{name}, {'prepared' if prepare else 'not prepared'}")
    db.execute("SET bytea_output = escape")
    check(db.execute(SELECT).fetchall() == READ, "text, escape format")
    db.execute("RESET bytea_output")
    db.commit()


def written_in_both_formats(db: psycopg.Connection) -> None:
    """Bind parameters in text and in binary, and have what was written returned."""
    for placeholder in ("%t", "%b"):
        db.execute("TRUNCATE cards")
        returning = f"{INSERT.replace('%s', placeholder)} RETURNING *"
        rows = [db.execute(returning, row).fetchone() for row in WRITTEN]
        check(rows == READ, f"parameters {placeholder}, returned")
    db.commit()
    with db.cursor() as cursor:
        cursor.execute("TRUNCATE cards")
        cursor.executemany(f"{INSERT} RETURNING *", WRITTEN, returning=True)
        rows = [result.fetchone() for result in cursor.results()]
        check(rows == READ, "executemany, returned")
    db.commit()


def large(db: psycopg.Connection) -> None:
    """Write and read 8 MB in both formats."""
    for placeholder, binary in (("%t", False), ("%b", True)):
        with db.transaction(force_rollback=True):
            cursor = db.cursor(binary=binary)
            cursor.execute(INSERT.replace("%s", placeholder), LARGE_WRITTEN)
            cursor.execute("SELECT * FROM cards WHERE name = 'large'")
            check(cursor.fetchone() == LARGE_READ, f"large, {placeholder}")


def transactions(db: psycopg.Connection) -> None:
    """Roll back a block, and to a savepoint."""
    try:
        with db.transaction():
            db.execute("UPDATE cards SET sealed = NULL")
            raise psycopg.Rollback
    except psycopg.Rollback:
        pass
    check(db.execute(SELECT).fetchall() == READ, "rolled back")
    with db.transaction():
        db.execute("DELETE FROM cards WHERE name = 'empty'")
        with db.transaction() as savepoint:
            db.execute("DELETE FROM cards")
            raise psycopg.Rollback(savepoint)
    rest = [row for row in READ if row[0] != "empty"]
    check(db.execute(SELECT).fetchall() == rest, "rolled back to a savepoint")
    db.commit()
    write(db)


def pipelines(db: psycopg.Connection) -> None:
    """Send without waiting, with an error among the statements."""
    with db.pipeline():
        db.execute("TRUNCATE cards")
        for row in WRITTEN:
            db.execute(INSERT, row)
        cursors = [db.execute(SELECT, binary=binary) for binary in (False, True)]
        check(all(cursor.fetchall() == READ for cursor in cursors), "a pipeline")
    db.commit()
    with db.pipeline() as pipeline:
        good = db.execute(SELECT)
        pipeline.sync()
        bad = db.execute("SELECT 1 / 0")
        check(good.fetchall() == READ, "a pipeline, before an error")
        try:
            bad.fetchall()
        except psycopg.errors.DivisionByZero:
            check(pipeline.status is pq.PipelineStatus.ABORTED, "a pipeline, aborted")
        pipeline.sync()
    db.rollback()
    check(db.execute(SELECT).fetchall() == READ, "after the pipelines")
    db.commit()


def cursors(db: psycopg.Connection) -> None:
    """Fetch in pieces: from a cursor of the server, streamed row by row and in chunks."""
    for binary in (False, True):
        name = "binary" if binary else "text"
        with (
            db.transaction(),
            db.cursor("by_two", binary=binary, scrollable=True) as cursor,
        ):
            cursor.itersize = 2
            cursor.execute(SELECT)
            check(list(cursor) == READ, f"a server's cursor, {name}")
            cursor.scroll(1, mode="absolute")
            check(
                cursor.fetchone() == plain("card"),
                f"a server's cursor, scrolled, {name}",
            )
        for size in (1, 3):
            rows = list(db.cursor().stream(SELECT, binary=binary, size=size))
            check(rows == READ, f"streamed by {size}, {name}")
    db.commit()


def copies(db: psycopg.Connection) -> None:
    """Copy in; copied out, values open."""
    for form in ("TEXT", "BINARY"):
        db.execute("TRUNCATE cards")
        with db.cursor().copy(f"COPY cards FROM STDIN (FORMAT {form})") as copy:
            copy.set_types(["text", "bytea", "bytea"])
            for row in WRITTEN:
                copy.write_row(row)
        check(db.execute(SELECT).fetchall() == READ, f"copied in, {form}")
        with db.cursor().copy(f"COPY ({SELECT}) TO STDOUT (FORMAT {form})") as copy:
            copy.set_types(["text", "bytea", "bytea"])
            check(list(copy.rows()) == READ, f"copied out opened, {form}")
    db.commit()


with psycopg.connect(CHAIN_URL, connect_timeout=20) as chain:
    chain.execute("SET statement_timeout = '20s'")
    chain.execute(CREATE)
    chain.commit()
    write(chain)
    for step in (
        rows_in_both_formats,
        written_in_both_formats,
        large,
        transactions,
        pipelines,
        cursors,
        copies,
    ):
        step(chain)

with psycopg.connect(DIRECT_URL, connect_timeout=20) as direct:
    check(direct.execute(SELECT).fetchall() == WRITTEN, "the database has it sealed")
