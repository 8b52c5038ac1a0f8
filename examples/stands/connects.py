#!/usr/bin/env python3
"""Connect ten times a second, ask one query each, and tell what that met.

Usage: connects.py PORT. Prints `begun` once connects succeed; whoever reads that loses something. Ends
when all is well again, and prints: connects, how many failed, for how many seconds, how many seconds the
longest took, and what the last that failed met.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass

import psycopg

PACE = 0.1
LIMIT = 20  # a connect may take so long
WATCH = 4.0  # at least so long after `begun`
QUIET = 2.0  # all of this time's connects have to succeed before it ends
PATIENCE = 30.0  # and at last it ends all the same


@dataclass
class Connect:
    """One connect; `ended` and `met` are set once it is over."""

    begun: float
    ended: float | None = None
    met: str | None = None

    def run(self, port: int) -> None:
        """Connect, ask, end."""
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=port,
                connect_timeout=LIMIT,
            ) as connection:
                connection.execute("select 1")
        except psycopg.Error as error:
            self.met = " ".join(str(error).split()) or type(error).__name__
        self.ended = time.monotonic()


def well(connects: list[Connect], now: float) -> bool:
    """Say whether all connects of the last time succeeded, and none is under way from before."""
    late = [it for it in connects if it.begun < now - 1.0]
    if any(it.ended is None for it in late):
        return False
    lately = [it for it in connects if (it.ended or now) > now - QUIET]
    return not any(it.met for it in lately)


def main(port: int) -> None:
    """Connect until all is well."""
    connects: list[Connect] = []
    begun: float | None = None
    start = time.monotonic()
    while True:
        connect = Connect(time.monotonic())
        connects.append(connect)
        threading.Thread(target=connect.run, args=[port], daemon=True).start()
        time.sleep(max(0.0, start + PACE * len(connects) - time.monotonic()))
        now = time.monotonic()
        if begun is None:
            if now - start > 1.0 and well(connects, now):
                begun = now
                print("begun", flush=True)
        elif now - begun > PATIENCE or (now - begun > WATCH and well(connects, now)):
            break
    over = [it for it in connects if it.ended is not None or it.begun < now - 1.0]
    failed = [it for it in over if it.ended is None or it.met]
    span = failed[-1].begun - failed[0].begun if failed else 0.0
    longest = max((it.ended or now) - it.begun for it in over)
    met = (failed[-1].met or "no answer") if failed else ""
    print(f"{len(over)} {len(failed)} {span:.1f} {longest:.1f} {met}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(int(sys.argv[1]))
