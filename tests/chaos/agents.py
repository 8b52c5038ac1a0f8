"""Applications that write, move money, read, and probe; each in a thread of its own, with a session that it keeps."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time

import psycopg
from psycopg.rows import tuple_row

from journal import ACCEPTED, REFUSED, UNCLEAR, Journal, Read, Sessions, Write
from values import ACCOUNTS, BALANCE, COLUMNS, Found, Row, Values

LIMIT = 20  # seconds that a connect may take
OLD = 30.0  # seconds after which a write that was accepted is there for everybody who asks the primary

# Who takes it, as it says itself: the node's name is that of the directory around its data.
WHERE = "split_part(current_setting('data_directory'), '/', -2)"
TAKEN = f"RETURNING {WHERE}, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"
INSERT = f"INSERT INTO writes ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) {TAKEN}"
TRANSFER = f"INSERT INTO transfers VALUES (%s, %s, %s, %s, %s) {TAKEN}"
MOVE = "UPDATE accounts SET balance = balance + %s WHERE id = %s"
LATEST = f"SELECT {COLUMNS} FROM writes ORDER BY way, number DESC LIMIT 5"
SOME = f"SELECT {COLUMNS} FROM writes WHERE way = %s AND number = ANY (%s)"

Session = psycopg.Connection[tuple[object, ...]]


def connect(address: str, options: str = "") -> Session:
    """Begin a session; with further options of libpq's."""
    host, port = address.rsplit(":", 1)
    return psycopg.connect(
        options, host=host, port=port, connect_timeout=LIMIT, autocommit=True
    )


def says(error: psycopg.Error) -> str:
    """Return an error in a line."""
    return " ".join(str(error).split()) or type(error).__name__


class Agent(threading.Thread):
    """One of them: does the same every few milliseconds until all are to end."""

    def __init__(
        self,
        way: str,
        address: str,
        pace: float,
        journal: Journal,
        ends: threading.Event,
    ) -> None:
        super().__init__(daemon=True)
        self.way = way
        self.address = address
        self.pace = pace
        self.journal = journal
        self.ends = ends
        self.session: Session | None = None
        self.number = 0
        self.done = 0
        self.options = ""

    def run(self) -> None:
        """Go on, with a new session where the last is lost."""
        while not self.ends.is_set():
            begun = time.monotonic()
            self.number += 1
            self.act()
            self.ends.wait(max(0.0, begun + self.pace - time.monotonic()))
        if self.session:
            self.session.close()

    def act(self) -> None:
        """Do it once."""
        raise NotImplementedError

    def begin(self) -> Session:
        """Return the session, or begin one."""
        self.session = self.session or connect(self.address, self.options)
        return self.session

    def leave(self) -> None:
        """Give up the session."""
        if self.session:
            self.session.close()
            self.session = None


class Writer(Agent):
    """Who writes a row with values that nobody wrote before."""

    def __init__(self, *common: object, values: Values | None = None) -> None:
        super().__init__(*common)  # type: ignore[arg-type]
        self.values = values
        self.accepted: list[tuple[int, float]] = []
        self.stays = False  # on a replica, which may be promoted

    def act(self) -> None:
        """Write, and take note of what came of it."""
        write = Write(self.way, self.number, time.time())
        sent = False
        try:
            session = self.begin()
            sent = True
            write.node, write.timeline = self.write(session)
            write.outcome = ACCEPTED
        except psycopg.Error as error:
            write.met = says(error)
            # Of what began a session that is lost now, nobody knows whether it was done.
            lost = self.session is None or self.session.closed or self.session.broken
            write.outcome = UNCLEAR if sent and lost else REFUSED
            if not (
                self.stays and isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            ):
                self.leave()
        write.ended = time.time()
        if write.outcome == ACCEPTED:
            self.accepted.append((self.number, write.ended))
            self.done += 1
        self.journal.add(write)

    def write(self, session: Session) -> tuple[str, int]:
        """Write, and return who took it, on which timeline."""
        assert self.values
        return taken(session, INSERT, self.values.row(self.way, self.number))


class Mover(Writer):
    """Who moves money from one account to another; `halves` of it, sabotaged, at a time."""

    halves = False

    def write(self, session: Session) -> tuple[str, int]:
        """Move some."""
        source, target = random.sample(range(1, ACCOUNTS + 1), 2)
        amount = random.randint(1, 9)
        moves = sorted([(source, -amount), (target, amount)])
        if self.halves:
            for account, change in moves:
                session.execute(MOVE, (change, account))
                self.ends.wait(self.pace)
            return taken(
                session, TRANSFER, (self.way, self.number, source, target, amount)
            )
        with session.transaction():
            for account, change in moves:
                session.execute(MOVE, (change, account))
            return taken(
                session, TRANSFER, (self.way, self.number, source, target, amount)
            )


class Probe(Writer):
    """Who tries to write on one node past everything, whatever that node is."""

    def __init__(self, *common: object) -> None:
        super().__init__(*common)
        self.stays = True
        self.options = (
            "keepalives_idle=2 keepalives_interval=1 keepalives_count=3"
            " tcp_user_timeout=5000"
        )

    def write(self, session: Session) -> tuple[str, int]:
        """Write next to nothing."""
        return taken(
            session,
            f"INSERT INTO probes VALUES (%s, %s) {TAKEN}",
            (self.way, self.number),
        )


def taken(session: Session, query: str, values: tuple[object, ...]) -> tuple[str, int]:
    """Write, and return who took it."""
    cursor = session.cursor(row_factory=tuple_row)
    cursor.execute(query, values)
    node, timeline = cursor.fetchall()[0]
    return str(node), int(timeline)


class Reader(Agent):
    """Who reads values and balances in one snapshot. Every tenth time he begins anew."""

    def __init__(
        self, *common: object, writers: list[Writer], asks_primary: bool
    ) -> None:
        super().__init__(*common)  # type: ignore[arg-type]
        self.writers = writers
        self.asks_primary = asks_primary

    def act(self) -> None:
        """Read, and look at it."""
        read = Read(self.way, time.time())
        if self.number % 10 == 0:
            self.leave()
        old = self.old() if self.asks_primary else ("", [])
        try:
            session = self.begin()
            with session.transaction():
                session.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )
                sums = session.execute(
                    f"SELECT sum(balance)::bigint, {WHERE} FROM accounts"
                ).fetchone()
                assert sums
                read.balance, read.node = (
                    int(str(sums[0])) - ACCOUNTS * BALANCE,
                    str(sums[1]),
                )
                rows: list[Row] = session.execute(LATEST).fetchall()  # type: ignore[assignment]
                if old[1]:
                    some = session.execute(SOME, old).fetchall()
                    read.missing = len(old[1]) - len(some)
                    rows += some  # type: ignore[arg-type]
            self.count(read, rows)
            self.done += 1
        except psycopg.Error as error:
            read.met = says(error)
            self.leave()
        read.ended = time.time()
        self.journal.add(read)

    def count(self, read: Read, rows: list[Row]) -> None:
        """Take note of what these values were."""
        found = Found()
        for row in rows:
            found.look(row)
        read.done = True
        read.wrong, read.sealed, read.forbidden, read.lent = (
            found.wrong,
            found.sealed,
            found.forbidden,
            found.lent,
        )

    def old(self) -> tuple[str, list[int]]:
        """Choose some of what was accepted long ago."""
        writer = random.choice(self.writers)
        until = time.time() - OLD
        known = [number for number, at in writer.accepted if at < until]
        return writer.way, random.sample(known, min(3, len(known)))


class Listener(Agent):
    """Who asks a connector where its sessions are."""

    def act(self) -> None:
        """Ask."""
        host, port = self.address.rsplit(":", 1)
        entry = Sessions(self.way, time.time())
        try:
            asked = http.client.HTTPConnection(host, int(port), timeout=1.0)
            asked.request("GET", "/v1/sessions")
            for session in json.loads(asked.getresponse().read())["sessions"]:
                entry.servers.append(
                    f"{session['server']} {session['server_id']} {session['since']}"
                )
            asked.close()
            self.journal.add(entry)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # it is stopped, or away
