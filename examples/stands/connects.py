#!/usr/bin/env python3
"""Connect ten times a second, ask one query each, and tell what that met while something was lost.

Usage: connects.py HOST PORT. Prints `begun` once connects succeed; then whoever reads that loses something,
and sends SIGUSR1 as soon as it is lost. Ends when all is well again, and prints four figures and a text:
how many connects began after the loss, how many of them failed, for how many seconds they did, how many
seconds the longest took, and what the last one met that failed. Connects that were under way when it was
lost are another matter: their sessions were lost, too.
"""

from __future__ import annotations

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


class Connects:
    """All of them, and when it was lost."""

    def __init__(self) -> None:
        self.all: list[Connect] = []
        self.lost: float | None = None

    def lose(self, *_: object) -> None:
        """Take note that it was lost just now."""
        self.lost = time.monotonic()

    def are_well(self, now: float) -> bool:
        """Say whether all of the last time succeeded, and none is under way from before."""
        lately = [it for it in self.all if (it.ended or now) > now - QUIET]
        waiting = any(it.ended is None and it.begun < now - 1.0 for it in lately)
        return not waiting and not any(it.met for it in lately)

    def go_on(self, host: str, port: int) -> None:
        """Connect until all is well after the loss."""
        start = time.monotonic()
        begun = False
        while True:
            connect = Connect(time.monotonic())
            self.all.append(connect)
            threading.Thread(target=connect.run, args=[host, port], daemon=True).start()
            time.sleep(max(0.0, start + PACE * len(self.all) - time.monotonic()))
            now = time.monotonic()
            if not begun and now - start > 1.0 and self.are_well(now):
                begun = True
                print("begun", flush=True)
            since = now - (self.lost or now)
            if since > PATIENCE or (since > WATCH and self.are_well(now)):
                return

    def tell(self) -> None:
        """Print the figures."""
        now, lost = time.monotonic(), self.lost or 0.0
        after = [it for it in self.all if it.begun > lost]
        after = [it for it in after if it.ended is not None or it.begun < now - 1.0]
        failed = [it for it in after if it.ended is None or it.met]
        span = failed[-1].begun - lost if failed else 0.0
        longest = max((it.ended or now) - it.begun for it in after)
        met = (failed[-1].met or "no answer") if failed else ""
        print(f"{len(after)} {len(failed)} {span:.1f} {longest:.1f} {met}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    connects = Connects()
    signal.signal(signal.SIGUSR1, connects.lose)
    connects.go_on(sys.argv[1], int(sys.argv[2]))
    connects.tell()
