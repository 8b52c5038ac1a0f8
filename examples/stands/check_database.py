#!/usr/bin/env python3
"""Tell HAProxy by HTTP what the database beside it is: `OK : master` or `OK : slave`.

Usage: check_database.py PORT HOST DATABASE_PORT [PSQL]. Login and password come from libpq's variables.
It needs Python and psql alone. Before servers nobody needs it: they say the same by their ops port.
"""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = {"f": "OK : master", "t": "OK : slave"}
PATIENCE = 3  # seconds


def asked(host: str, port: str, psql: str) -> str | None:
    """Return what the database is, or None if it does not say."""
    query = "select pg_is_in_recovery()"
    command = [psql, "-h", host, "-p", port, "-d", "postgres", "-wXAtc", query]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return WORDS.get(answer.stdout.strip())


class Check(BaseHTTPRequestHandler):
    """One question of HAProxy's."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer it: 200 and the words, or 503."""
        says = asked(*sys.argv[2:])
        body = (says or "the database does not answer").encode()
        self.send_response(200 if says else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of it."""


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    sys.argv[4:] = sys.argv[4:] or ["psql"]
    ThreadingHTTPServer(("", int(sys.argv[1])), Check).serve_forever()
