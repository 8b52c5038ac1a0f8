#!/usr/bin/env python3
"""Have workers ask all the time, each in a session of its own, and tell what they met.

Usage: workers.py SECONDS WORKERS HOST:PORT LOGS OPTION...

A worker is a pgbench with one client and these options; when its session is lost, it begins another, as an
application's pool does. Prints `half` at half time, and in the end as JSON how many sessions were lost, how many
connects failed, how many values were wrong, and what the last one met that failed. Times of all transactions are in
LOGS, in pgbench's form. Login and password come from libpq's variables.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

AGAIN = 0.1  # seconds until a worker connects again that could not
LEAST = 1.0  # pgbench counts in whole seconds


class Worker(threading.Thread):
    """One session after the other, until the end."""

    def __init__(self, number: int, until: float, command: list[str]) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.until = until
        self.command = command
        self.lost = self.refused = self.wrong = 0
        self.met = ""

    def run(self) -> None:
        """Run pgbench again and again."""
        attempt = 0
        while (left := self.until - time.monotonic()) >= LEAST:
            attempt += 1
            prefix = f"{sys.argv[4]}/worker-{self.number}-{attempt}"
            ended = subprocess.run(
                [*self.command, f"--time={round(left)}", f"--log-prefix={prefix}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode:
                self.judge(ended.stderr)

    def judge(self, said: str) -> None:
        """Count what went wrong, by what pgbench said of it."""
        errors = [line for line in said.splitlines() if "error: " in line]
        self.met = errors[0] if errors else said
        if "connection to server" in said and "failed" in said:
            self.refused += 1
            time.sleep(AGAIN)
        elif "division by zero" in said or "malformed variable" in said:
            self.wrong += 1
            time.sleep(AGAIN)
        else:
            self.lost += 1


def main(seconds: float, workers: int, address: str, options: list[str]) -> None:
    """Run them, and tell."""
    host, port = address.rsplit(":", 1)
    command = ["pgbench", f"--host={host}", f"--port={port}", "--no-vacuum", "--log"]
    until = time.monotonic() + seconds
    all_of_them = [Worker(n, until, [*command, *options]) for n in range(workers)]
    for worker in all_of_them:
        worker.start()
    time.sleep(seconds / 2)
    print("half", flush=True)
    for worker in all_of_them:
        worker.join()
    told = {
        name: sum(getattr(worker, name) for worker in all_of_them)
        for name in ("lost", "refused", "wrong")
    }
    met = [worker.met for worker in all_of_them if worker.met]
    print(json.dumps({**told, "met": met[-1] if met else ""}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[5:])
