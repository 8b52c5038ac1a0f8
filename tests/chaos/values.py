"""What the applications write: values sealed to a client and to three zones, each its own clear text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pgseal

Seal = Callable[[bytes], bytes]
Row = tuple[str, int, bytes, str, bytes, str, bytes, str, bytes]

ACCOUNTS = 10
BALANCE = 1000
TABLES = f"""
    CREATE TABLE IF NOT EXISTS writes (way text, number int, data bytea, zone text, zoned bytea,
        lent text, borrowed bytea, foreign_zone text, forbidden bytea, PRIMARY KEY (way, number));
    CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, balance bigint);
    CREATE TABLE IF NOT EXISTS transfers (way text, number int, source int, target int, amount int,
        PRIMARY KEY (way, number));
    CREATE TABLE IF NOT EXISTS probes (way text, number int);
    INSERT INTO accounts SELECT id, {BALANCE} FROM generate_series(1, {ACCOUNTS}) AS id
        ON CONFLICT DO NOTHING;
"""
COLUMNS = "way, number, data, zone, zoned, lent, borrowed, foreign_zone, forbidden"
MAGIC = bytes.fromhex("f5706773")


def clear(way: str, number: int, column: str) -> bytes:
    """Return what is in a column of a row, in clear."""
    return f"in clear: {column} of {way} {number}".encode()


def is_sealed(value: bytes) -> bool:
    """Say whether a value has the shape of a sealed one."""
    return value.startswith(MAGIC)


@dataclass
class Values:
    """To whom values are sealed."""

    client: Seal
    zone: str
    zoned: Seal
    lent: str
    borrowed: Seal
    foreign_zone: str
    forbidden: Seal

    @classmethod
    def of(cls, directory: Path) -> Values:
        """Take public keys from files, as `key export-public` has printed them."""

        def of(name: str) -> tuple[str, Seal]:
            recipient = pgseal.Recipient.from_json(
                (directory / f"{name}.json").read_bytes()
            )
            return recipient.owner, pgseal.Sealer(recipient).seal

        _, client = of("client")
        return cls(client, *of("zone"), *of("lent"), *of("foreign"))

    def row(self, way: str, number: int) -> Row:
        """Return a row that is new."""
        values = (
            seal(clear(way, number, column))
            for column, seal in (
                ("data", self.client),
                ("zoned", self.zoned),
                ("borrowed", self.borrowed),
                ("forbidden", self.forbidden),
            )
        )
        data, zoned, borrowed, forbidden = values
        return (
            way,
            number,
            data,
            self.zone,
            zoned,
            self.lent,
            borrowed,
            self.foreign_zone,
            forbidden,
        )


@dataclass
class Found:
    """What became of the values of some rows."""

    wrong: int = 0
    sealed: int = 0
    zones_sealed: int = 0
    forbidden: int = 0
    lent: int = 0
    opened: int = 0

    def look(self, row: Row) -> None:
        """Count one row."""
        way, number, data, _, zoned, _, borrowed, _, forbidden = row
        for column, value in (
            ("data", data),
            ("zoned", zoned),
            ("borrowed", borrowed),
            ("forbidden", forbidden),
        ):
            is_open = value == clear(way, number, column)
            self.opened += is_open
            if not is_open and not is_sealed(value):
                self.wrong += 1
            elif column == "data":
                self.sealed += not is_open
            elif column == "zoned":
                self.zones_sealed += not is_open
            elif column == "borrowed":
                self.lent += is_open
            else:
                self.forbidden += is_open
