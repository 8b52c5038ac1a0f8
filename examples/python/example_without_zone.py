#!/usr/bin/env python3
"""Write a value that only this client's servers open, and read it back.

The value is sealed here, before it leaves the application. Reading is an ordinary
SELECT through the connector: the server opens the value on its way back.
"""

from __future__ import annotations

from argparse import Namespace

import pgseal

import application

TABLE = """
    CREATE TABLE IF NOT EXISTS test_example_without_zone (
        id SERIAL PRIMARY KEY, data bytea, raw_data text)
"""


def write(options: Namespace) -> None:
    """Store the value sealed and, only to compare when printing, in clear."""
    sealed = pgseal.Sealer(recipient(options)).seal(options.data.encode())
    with application.connect(options) as connection:
        connection.execute(TABLE)
        connection.execute(
            "INSERT INTO test_example_without_zone (data, raw_data) VALUES (%s, %s)",
            (sealed, options.data),
        )
    print(f"insert data: {options.data}")


def read(options: Namespace) -> None:
    """Print the table: `data` as the server gives it, `raw_data` as it is stored."""
    with application.connect(options) as connection:
        rows = connection.execute(
            "SELECT id, data, raw_data FROM test_example_without_zone ORDER BY id"
        ).fetchall()
    line = "{:<3} - {:<20} - {}"
    print(line.format("id", "data", "raw_data"))
    for id, data, raw_data in rows:
        print(line.format(id, application.show(data), application.show(raw_data)))


def recipient(options: Namespace) -> pgseal.Recipient:
    """Return whom to seal to: the given key, or the client of the connector."""
    if not options.public_key:
        client: pgseal.Recipient = options.api.client()
        return client
    if not options.client_id:
        raise application.UsageError("--public_key needs --client_id, whose key it is")
    return pgseal.Recipient("client", options.client_id, options.public_key)


if __name__ == "__main__":
    parser = application.Options("Store a sealed value and print what comes back.")
    parser.add("client_id", "with --public_key: the client whose key that is")
    application.run(parser, write, read)
