#!/usr/bin/env python3
"""Write and read through pgseal, and take note of all that comes of it.

Usage: workload.py [--sabotage NAME] KEYS JOURNAL NODE...

KEYS is a directory with public keys, NODE a database's address past pgseal. Runs where both connectors are, until
SIGTERM: then looks at all that is there, through both connectors and on each node, and ends. Prints a line a second:
writes and reads so far.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from pathlib import Path

import psycopg

from agents import Agent, Listener, Mover, Probe, Reader, Session, Writer, connect
from journal import Final, Journal
from values import BALANCE, COLUMNS, TABLES, Found, Row, Values

RW, RO = "127.0.0.1:9494", "127.0.0.1:9495"
PATIENCE = 30.0  # seconds in which each has to end once all is well
LEFT_OPEN = 40  # sessions, sabotaged

COUNTS = "SELECT (SELECT count(*) FROM writes), (SELECT count(*) FROM transfers)"
BALANCES = f"""
    SELECT id FROM accounts WHERE balance <> {BALANCE}
        + coalesce((SELECT sum(amount) FROM transfers WHERE target = id), 0)
        - coalesce((SELECT sum(amount) FROM transfers WHERE source = id), 0)"""


def main(options: argparse.Namespace) -> None:
    """Run them all."""
    ends = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ends.set())
    journal = Journal(options.journal)
    values = Values.of(options.keys)
    if options.sabotage == "unsealed":
        values.client = bytes
    with connect(RW) as session:
        session.execute(TABLES)
    # Whoever looks past pgseal finds what is sealed there.
    reads = options.nodes[0] if options.sabotage == "past-pgseal" else RW
    run = int(time.time())
    common = (journal, ends)
    writers: list[Writer] = [
        Writer(f"write{i}-{run}", RW, 0.05, *common, values=values) for i in range(2)
    ]
    movers: list[Writer] = [Mover(f"move{i}-{run}", RW, 0.1, *common) for i in range(2)]
    Mover.halves = options.sabotage == "halves"
    readers = [
        Reader("read-rw", reads, 0.1, *common, writers=writers, asks_primary=True),
        Reader("read-ro0", RO, 0.1, *common, writers=writers, asks_primary=False),
        Reader("read-ro1", RO, 0.1, *common, writers=writers, asks_primary=False),
    ]
    probes = [Probe(f"probe-{node}", node, 0.5, *common) for node in options.nodes]
    listeners = [
        Listener(f"connector-{port}", f"127.0.0.1:{port}", 0.5, *common)
        for port in (9191, 9192)
    ]
    agents: list[Agent] = [*writers, *movers, *readers, *probes, *listeners]
    if options.sabotage == "hangs":
        # Held until the end of this program: no money moves.
        holder = connect(RW)
        holder.execute("BEGIN; LOCK TABLE accounts IN SHARE MODE")
    for agent in agents:
        agent.start()
    while not ends.wait(1.0):
        print(
            sum(it.done for it in writers + movers),
            sum(it.done for it in readers),
            flush=True,
        )
    until = time.monotonic() + PATIENCE
    for agent in agents:
        agent.join(max(0.0, until - time.monotonic()))
    stuck = [agent.way for agent in agents if agent.is_alive()]
    print("stuck:", *stuck, flush=True)
    look_at_all(journal, options, [] if options.sabotage == "past-pgseal" else [RO])
    print("ended", flush=True)
    if options.sabotage == "leak":
        left = [connect(RW) for _ in range(LEFT_OPEN)]
        signal.pause()
        del left


def look_at_all(journal: Journal, options: argparse.Namespace, also: list[str]) -> None:
    """Read everything, through pgseal and past it, once replicas have what the primary has."""
    with connect(RW) as session:
        written = session.execute(COUNTS).fetchone()
    for address in [RW, *also, *options.nodes]:
        final = Final(address)
        until = time.monotonic() + PATIENCE
        with connect(address) as session:
            while session.execute(COUNTS).fetchone() != written:
                if time.monotonic() > until:
                    break
                time.sleep(0.1)
            found = Found()
            for row in rows(session):
                found.look(row)
                final.rows.append((row[0], row[1]))
            final.rows += [
                (str(it[0]), int(str(it[1])))
                for it in session.execute("SELECT way, number FROM transfers")
            ]
            final.balances = [str(it[0]) for it in session.execute(BALANCES)]
        if address in options.nodes:
            final.opened = found.opened + found.wrong
        else:
            final.unopened = found.sealed + found.zones_sealed + found.wrong
            final.opened = found.forbidden
        journal.add(final)


def rows(session: Session) -> list[Row]:
    """Return all rows with values."""
    cursor = session.execute(f"SELECT {COLUMNS} FROM writes ORDER BY way, number")
    return cursor.fetchall()  # type: ignore[return-value]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Write and read through pgseal, and take note."
    )
    parser.add_argument("--sabotage", default="")
    parser.add_argument("keys", type=Path)
    parser.add_argument("journal", type=Path)
    parser.add_argument("nodes", nargs="+", metavar="NODE")
    try:
        main(parser.parse_args())
    except psycopg.Error as error:
        raise SystemExit(f"error: {error}") from error
