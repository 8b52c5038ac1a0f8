"""asyncpg: binary only; prepared statements, cursors, executemany, COPY."""

from __future__ import annotations

import asyncio
import io

import asyncpg

from contract import (
    CHAIN_URL,
    CREATE,
    DIRECT_URL,
    LARGE_READ,
    LARGE_WRITTEN,
    READ,
    SELECT,
    WRITTEN,
    check,
    version,
)

INSERT = "INSERT INTO cards VALUES ($1, $2, $3)"

version(f"asyncpg {asyncpg.__version__}")


async def writes(db: asyncpg.Connection) -> None:
    """Write one by one, all at once, and with the rows returned."""
    await db.executemany(INSERT, WRITTEN)
    check(await db.fetch(SELECT) == READ, "executemany")
    await db.execute("TRUNCATE cards")
    insert = await db.prepare(f"{INSERT} RETURNING *")
    rows = [await insert.fetchrow(*row) for row in WRITTEN]
    check(rows == READ, "prepared, returned")
    await db.execute("TRUNCATE cards")
    check(await insert.fetchmany(WRITTEN) == READ, "prepared, fetchmany")


async def reads(db: asyncpg.Connection) -> None:
    """Read rows, a row and a value, with the statement prepared once."""
    select = await db.prepare(SELECT)
    for _ in range(2):
        check(await select.fetch() == READ, "prepared")
    one = "SELECT name, sealed, clear FROM cards WHERE name = $1"
    rows = [await db.fetchrow(one, row[0]) for row in READ]
    check(rows == READ, "row by row")
    values = [await db.fetchval(one, row[0], column=1) for row in READ]
    check(values == [row[1] for row in READ], "value by value")


async def large(db: asyncpg.Connection) -> None:
    """Write and read 8 MB."""
    row = await db.fetchrow(f"{INSERT} RETURNING *", *LARGE_WRITTEN)
    check(row == LARGE_READ, "large")
    await db.execute("DELETE FROM cards WHERE name = 'large'")


async def transactions(db: asyncpg.Connection) -> None:
    """Roll back a block, and to a savepoint."""
    block = db.transaction()
    await block.start()
    await db.execute("UPDATE cards SET sealed = NULL")
    await block.rollback()
    check(await db.fetch(SELECT) == READ, "rolled back")
    async with db.transaction():
        savepoint = db.transaction()
        await savepoint.start()
        await db.execute("DELETE FROM cards")
        await savepoint.rollback()
    check(await db.fetch(SELECT) == READ, "rolled back to a savepoint")


async def cursors(db: asyncpg.Connection) -> None:
    """Fetch from a portal in pieces, and from somewhere in the middle."""
    async with db.transaction():
        rows = [row async for row in db.cursor(SELECT, prefetch=2)]
        check(rows == READ, "a cursor, iterated over")
        cursor = await db.cursor(SELECT)
        await cursor.forward(1)
        check(await cursor.fetch(2) == READ[1:3], "a cursor, two rows of it")
        check(await cursor.fetchrow() == READ[3], "a cursor, one row")
        check(await cursor.fetch(5) == READ[4:], "a cursor, the rest")


async def copies(db: asyncpg.Connection) -> None:
    """Copy in; copied out, values open."""
    await db.execute("TRUNCATE cards")
    await db.copy_records_to_table("cards", records=WRITTEN)
    check(await db.fetch(SELECT) == READ, "copied in")
    copied = io.BytesIO()
    await db.copy_from_query(SELECT, output=copied, format="binary")
    opened = [value for _, value, _ in READ if value is not None]
    check(all(value in copied.getvalue() for value in opened), "copied out opened")


async def main() -> None:
    """Go through all of it."""
    chain = await asyncpg.connect(CHAIN_URL, timeout=20, command_timeout=20)
    await chain.execute(CREATE)
    for step in (writes, reads, large, transactions, cursors, copies):
        await step(chain)
    await chain.close()
    direct = await asyncpg.connect(DIRECT_URL, timeout=20, command_timeout=20)
    check(await direct.fetch(SELECT) == WRITTEN, "the database has it sealed")
    await direct.close()


asyncio.run(main())
