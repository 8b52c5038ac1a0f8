#!/usr/bin/env python3
"""Connect ten times a second, ask one query each, and tell what that met while something was lost.

Usage: connects.py HOST PORT [SIGNALS]. Prints `begun` once connects succeed; then whoever reads that loses
something, and sends SIGUSR1 as soon as it is lost; and where two signals are said, again when what follows from
that has happened. Ends when all is well again, and prints two lines. One says what became of
a session that was there before, and asked on. The other has five figures and a text: how many connects
began after the loss, how many of them failed, for how many seconds they did, how many seconds the longest took,
for how many milliseconds at a time no answer came at all, and what the last one met that failed. Connects that
were under way when it was lost are another matter: their sessions were lost, too.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from dataclasses import dataclass

import psycopg

PACE = 0.1  # seconds, as all of these
LIMIT = 20  # a connect may take so long
WATCH = 4.0  # so long after the loss at least
QUIET = 2.0  # all connects of so long have to succeed before it ends
PATIENCE = 20.0  # after that it ends all the same


@dataclass
class Connect:
    """One connect; `ended`, and `met` if it failed, are set once it is over."""

    begun: float
    ended: float | None = None
    met: str | None = None

    def run(self, host: str, port: int) -> None:
        """Connect, ask, end."""
        try:
            with psycopg.connect(
                host=host, port=port, connect_timeout=LIMIT
            ) as session:
                session.execute("select 1")
        except psycopg.Error as error:
            self.met = " ".join(str(error).split()) or type(error).__name__
        self.ended = time.monotonic()


@dataclass
class Session:
    """One session that asks all the time, until it is lost."""

    answered: float = 0.0
    ended: float = 0.0
    met: str | None = None

    def run(self, host: str, port: int) -> None:
        """Connect, and ask."""
        try:
            with psycopg.connect(
                host=host, port=port, connect_timeout=LIMIT, autocommit=True
            ) as session:
                while True:
                    session.execute("select 1")
                    self.answered = time.monotonic()
                    time.sleep(PACE)
        except psycopg.Error as error:
            self.met = " ".join(str(error).split()) or type(error).__name__
            self.ended = time.monotonic()

    def tell(self, now: float, lost: float) -> str:
        """Say what became of it."""
        if self.met is not None:
            after = max(0, round((self.ended - lost) * 1000))
            return f"lost after {after} ms: {self.met}"
        silent = now - self.answered
        return "went on" if silent < 1.0 else f"no answer for {silent:.1f} s"


class Connects:
    """All of them, a session beside them, and when it was lost."""

    def __init__(self, signals: int) -> None:
        self.all: list[Connect] = []
        self.session = Session()
        self.signals = signals
        self.lost: float | None = None
        self.told: float | None = None

    def lose(self, *_: object) -> None:
        """Take note that it was lost just now, and of the last signal."""
        now = time.monotonic()
        self.lost = self.lost or now
        self.signals -= 1
        if self.signals <= 0:
            self.told = now

    def are_well(self, now: float) -> bool:
        """Say whether all of the last time succeeded, and none is under way from before."""
        lately = [it for it in self.all if (it.ended or now) > now - QUIET]
        waiting = any(it.ended is None and it.begun < now - 1.0 for it in lately)
        return not waiting and not any(it.met for it in lately)

    def has_begun(self, now: float) -> bool:
        """Say whether connects succeed, and the session has had an answer."""
        return self.session.answered > 0.0 and self.are_well(now)

    def go_on(self, host: str, port: int) -> None:
        """Connect until all is well after the loss."""
        threading.Thread(
            target=self.session.run, args=[host, port], daemon=True
        ).start()
        start = time.monotonic()
        begun = False
        while True:
            connect = Connect(time.monotonic())
            self.all.append(connect)
            threading.Thread(target=connect.run, args=[host, port], daemon=True).start()
            time.sleep(max(0.0, start + PACE * len(self.all) - time.monotonic()))
            now = time.monotonic()
            if not begun and now - start > 1.0 and self.has_begun(now):
                begun = True
                print("begun", flush=True)
            since, told = now - (self.lost or now), now - (self.told or now)
            if told > PATIENCE:
                return
            if since > WATCH and told > QUIET and self.are_well(now):
                return

    def tell(self) -> None:
        """Print the figures."""
        now, lost = time.monotonic(), self.lost or 0.0
        after = [it for it in self.all if it.begun > lost]
        after = [it for it in after if it.ended is not None or it.begun < now - 1.0]
        failed = [it for it in after if it.ended is None or it.met]
        span = failed[-1].begun - lost if failed else 0.0
        longest = max((it.ended or now) - it.begun for it in after)
        answers = [it.ended for it in self.all if it.ended and not it.met]
        times = [lost, *sorted(at for at in answers if at > lost), now]
        silence = max(then - before for before, then in itertools.pairwise(times))
        met = (failed[-1].met or "no answer") if failed else ""
        print(f"session {self.session.tell(now, lost)}", flush=True)
        figures = f"{len(after)} {len(failed)} {span:.1f} {longest:.1f}"
        print(f"{figures} {round(silence * 1000)} {met}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    connects = Connects(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    signal.signal(signal.SIGUSR1, connects.lose)
    connects.go_on(sys.argv[1], int(sys.argv[2]))
    connects.tell()
