#!/usr/bin/env python3
"""Fill the table `people` with sealed values of five hundred rows; print an envelope to write over them.

Usage: people.py HOST:PORT [--in-clear]

Values are numbers, which pgbench can compare with what it asked for.
"""

from __future__ import annotations

import sys

import pgseal
import psycopg

ROWS = 500
CARDS = 4_000_000_000_000_000
NOTE = b"noted"
TABLE = """
    CREATE TABLE people (id int PRIMARY KEY, card text, code text, note text)
    WITH (fillfactor = 50)
"""


def main(address: str, in_clear: bool) -> None:
    """Write the rows."""
    sealer = pgseal.Sealer(pgseal.Connector("http://127.0.0.1:9191").client())

    def sealed(number: int) -> str:
        clear = str(number)
        return clear if in_clear else sealer.seal_armored(clear.encode())

    envelope = sealer.seal_armored(NOTE)
    host, port = address.rsplit(":", 1)
    with psycopg.connect(host=host, port=port, connect_timeout=10) as session:
        session.execute(TABLE)
        with session.cursor().copy("COPY people FROM STDIN") as rows:
            for id in range(1, ROWS + 1):
                rows.write_row((id, sealed(CARDS + id), sealed(id), envelope))
    print(envelope)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--in-clear"]):
        sys.exit(__doc__)
    main(sys.argv[1], bool(sys.argv[2:]))
