#!/usr/bin/env python3
"""Write a value that opens only beside the id of its zone, and read it back.

The value is sealed here, to the zone's public key. The server opens it on its way back
if the row names the zone before it: here a literal in the select list does.
"""

from __future__ import annotations

from argparse import Namespace

import pgseal

import application

TABLE = """
    CREATE TABLE IF NOT EXISTS test_example_with_zone (
        id SERIAL PRIMARY KEY, zone_id text, data bytea, raw_data text)
"""


def write(options: Namespace) -> None:
    """Store the value sealed and, only to compare when printing, in clear."""
    zone = recipient(options)
    sealed = pgseal.Sealer(zone).seal(options.data.encode())
    with application.connect(options) as connection:
        connection.execute(TABLE)
        connection.execute(
            "INSERT INTO test_example_with_zone (zone_id, data, raw_data)"
            " VALUES (%s, %s, %s)",
            (zone.owner, sealed, options.data),
        )
    print(f"data: {options.data}")
    print(f"zone: {zone.owner}")


def read(options: Namespace) -> None:
    """Print the table, tagged with one zone: values of other zones stay sealed."""
    if not options.zone_id:
        raise application.UsageError("--print needs --zone_id, as --data printed it")
    with application.connect(options) as connection:
        # The tag stands before the data. The column zone_id stands after it, where it
        # is no tag, so that --zone_id alone says what opens.
        rows = connection.execute(
            "SELECT id, %s::text, data, raw_data, zone_id"
            " FROM test_example_with_zone ORDER BY id",
            (options.zone_id,),
        ).fetchall()
    print(f"use zone_id:  {options.zone_id}")
    line = "{:<3} - {} - {} - {}"
    print(line.format("id", "zone", "data", "raw_data"))
    for id, _tag, *fields in rows:
        data, raw_data, zone_id = map(application.show, fields)
        print(line.format(id, zone_id, data, raw_data))


def recipient(options: Namespace) -> pgseal.Recipient:
    """Return whom to seal to: the given key, the given zone, or a new one."""
    if options.public_key:
        if not options.zone_id:
            raise application.UsageError(
                "--public_key needs --zone_id, whose key it is"
            )
        return pgseal.Recipient("zone", options.zone_id, options.public_key)
    connector: pgseal.Connector = options.api
    if options.zone_id:
        return connector.zone(options.zone_id)
    try:
        return connector.new_zone()
    except pgseal.ConnectorRefused as error:
        raise application.Failure(
            f"{error}; allow zones (local_api.zones = true at the connector, and"
            " pgseal-keymaker client add ID --create-zones), or give a --zone_id"
        ) from error


if __name__ == "__main__":
    parser = application.Options("Store a value sealed to a zone and print it.")
    parser.add("zone_id", "the zone: to print with, or to write to")
    application.run(parser, write, read)
