#!/usr/bin/env python3
"""Write a row every few milliseconds, and tell what that met while something was lost.

Usage: writes.py HOST:PORT...            to several databases at once: one of them takes it
       writes.py --sealed READ HOST:PORT through a connector, sealed; and read back at READ, HOST:PORT

A writer keeps its session, and connects anew when that has failed. Prints `begun` once writes are accepted. From
SIGUSR1 on it ends as soon as all is well, and prints five figures and a text: how many writes were accepted, how
many attempts failed, the longest time in milliseconds from one accepted write to the next, how many of those
accepted were not read back, how many were read back but not opened; and what the last one met that failed.
The first way measures what a promotion itself takes: nobody who is told by others can be faster. Login and
password come from libpq's variables; the table is `writes`.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable

import pgseal
import psycopg

PACE = 0.005  # seconds, as all of these
LIMIT = 30  # a connect may take so long
QUIET = 1.0  # for so long it has to be well before it ends
HICCUP = 0.5  # a pause between two accepted writes that is no trouble
PATIENCE = 20.0  # after so long it ends all the same
REPLAY = 10.0  # so long a replica may be behind

INSERT = "insert into writes (way, number, data) values (%s, %s, %s)"
SELECT = "select number, data from writes where way = %s"

Session = psycopg.Connection[tuple[int, bytes]]
Seal = Callable[[bytes], bytes]


class Writer(threading.Thread):
    """Who writes to one address, all the time."""

    def __init__(self, address: str, seal: Seal, stays: bool) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.seal = seal
        self.stays = stays  # on a replica, which may be promoted
        self.accepted: dict[int, float] = {}
        self.failed = 0
        self.met = ""

    def run(self) -> None:
        """Write, and connect where there is no session."""
        session: Session | None = None
        number = 0
        while True:
            begun = time.monotonic()
            number += 1
            try:
                session = session or connect(self.address)
                row = (self.address, number, self.seal(clear(number)))
                session.execute(INSERT, row)
                self.accepted[number] = time.monotonic()
            except psycopg.Error as error:
                self.failed += 1
                self.met = " ".join(str(error).split()) or type(error).__name__
                is_replica = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
                if session and not (is_replica and self.stays):
                    session.close()
                    session = None
            time.sleep(max(0.0, begun + PACE - time.monotonic()))

    def read_back(self, address: str) -> tuple[int, int]:
        """Count what was accepted and is not there, and what is there and not opened."""
        wanted = dict.fromkeys(list(self.accepted))
        found: dict[int, bytes] = {}
        until = time.monotonic() + REPLAY
        while time.monotonic() < until and not wanted.keys() <= found.keys():
            try:
                with connect(address) as session:
                    found = dict(session.execute(SELECT, [self.address]).fetchall())
            except psycopg.Error as error:
                self.met = " ".join(str(error).split()) or type(error).__name__
            time.sleep(PACE)
        there = wanted.keys() & found.keys()
        unopened = sum(found[number] != clear(number) for number in there)
        return len(wanted.keys() - there), unopened


def connect(address: str) -> Session:
    """Begin a session."""
    host, port = address.rsplit(":", 1)
    return psycopg.connect(host=host, port=port, connect_timeout=LIMIT, autocommit=True)


def clear(number: int) -> bytes:
    """Return what the write of this number writes."""
    return f"write {number}".encode()


def accepted(writers: list[Writer]) -> list[float]:
    """Return when writes were accepted, anywhere."""
    return sorted(at for writer in writers for at in list(writer.accepted.values()))


def is_well(times: list[float], now: float) -> bool:
    """Say whether writes have been accepted without a break lately."""
    lately = [now - QUIET, *(at for at in times if at > now - QUIET), now]
    return longest(lately) < HICCUP


def longest(times: list[float]) -> float:
    """Return the longest time from one to the next."""
    pauses = (after - before for before, after in itertools.pairwise(times))
    return max(pauses, default=0.0)


def main(read: str | None, addresses: list[str]) -> None:
    """Write until told to end, and tell."""
    seal: Seal = bytes
    if read:
        seal = pgseal.Sealer(pgseal.Connector("http://127.0.0.1:9191").client()).seal
    writers = [Writer(address, seal, not read) for address in addresses]
    ends = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: ends.set())
    for writer in writers:
        writer.start()
    while not is_well(accepted(writers), time.monotonic()):
        time.sleep(PACE)
    print("begun", flush=True)
    ends.wait()
    until = time.monotonic() + PATIENCE
    now = time.monotonic()
    while now < until and not is_well(accepted(writers), now):
        time.sleep(PACE)
        now = time.monotonic()
    times = accepted(writers)
    outage = round(longest([*times, now]) * 1000)
    lost, unopened = writers[0].read_back(read) if read else (0, 0)
    failed = sum(writer.failed for writer in writers)
    met = " | ".join(writer.met for writer in writers if writer.met)
    print(f"{len(times)} {failed} {outage} {lost} {unopened} {met}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sealed"] and len(sys.argv) == 4:
        main(sys.argv[2], sys.argv[3:])
    elif len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        main(None, sys.argv[1:])
    else:
        sys.exit(__doc__)
