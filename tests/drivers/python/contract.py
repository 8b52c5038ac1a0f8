"""What a program here is given, and what it says of its checks: see ../README.md."""

from __future__ import annotations

import os
from pathlib import Path

Row = tuple[str, bytes | None, bytes | None]

CHAIN_URL = os.environ["CHAIN_URL"]
DIRECT_URL = os.environ["DIRECT_URL"]

NAMES = ["bytes", "card", "empty", "long"]


def _row(name: str, kind: str) -> Row:
    value = Path(os.environ["VALUES"], f"{name}.{kind}").read_bytes()
    return (name, value, b"")


def _rows(kind: str) -> list[Row]:
    """Give a row for each value, and one of NULLs, sorted by name."""
    return [*(_row(name, kind) for name in NAMES), ("null", None, None)]


WRITTEN = _rows("sealed")
"""Rows of a name, a sealed value, and one that never was: they are written, and stored."""

READ = _rows("plain")
"""The same rows as they are read through the chain."""

LARGE_WRITTEN = _row("large", "sealed")
"""One more row, of 8 MB. It is read and written once in each format."""

LARGE_READ = _row("large", "plain")
"""That row as it is read through the chain."""

CREATE = "CREATE TABLE cards (name text PRIMARY KEY, sealed bytea, clear bytea)"
SELECT = "SELECT name, sealed, clear FROM cards ORDER BY name"


def version(text: str) -> None:
    """Say what is tested: the first line."""
    print(text, flush=True)


def check(passed: bool, what: str) -> None:
    """Say that something is as it should be, or end."""
    if not passed:
        raise SystemExit(f"not so: {what}")
    print(what, flush=True)
