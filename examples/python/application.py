"""What both examples share: options, how values are shown, and what goes wrong.

Sealing and SQL, which the examples are about, stand in each of them.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pgseal
import psycopg

ENVELOPE_BEGINS = b"\xf5pgs"
FALSE = ("", "0", "f", "false", "n", "no", "off")

Work = Callable[[argparse.Namespace], None]


class UsageError(Exception):
    """Options that do not go together."""


class Failure(Exception):
    """Why the work could not be done, and what to do about it."""


class Options(argparse.ArgumentParser):
    """The options of both examples. Each can come from a variable, EXAMPLE_…"""

    def __init__(self, description: str) -> None:
        super().__init__(
            description=description,
            allow_abbrev=False,
            epilog="Every option can come from the environment, as EXAMPLE_HOST or"
            " EXAMPLE_DB_PASSWORD. The option wins; an empty variable is none.",
        )
        self.add("data", "write this value: sealed, and in clear beside it")
        self.add_argument(
            "--print",
            action="store_true",
            default=os.environ.get("EXAMPLE_PRINT", "").lower() not in FALSE,
            help="print the table, and write nothing",
        )
        self.add("host", "the connector's host", "127.0.0.1")
        self.add("port", "the connector's port", "9494", port)
        self.add("db_name", "the database", "test")
        self.add("db_user", "its user", "postgres")
        self.add("db_password", "the user's password; better as EXAMPLE_DB_PASSWORD")
        self.add(
            "api", "the connector's API", "http://127.0.0.1:9191", pgseal.Connector
        )
        self.add(
            "public_key",
            "seal to this key (base64) and ask no API",
            parse=pgseal.PublicKey.from_base64,
        )

    def add(
        self,
        name: str,
        about: str,
        default: str | None = None,
        parse: Callable[[str], object] | None = None,
    ) -> None:
        """Add the option `--name` with its variable EXAMPLE_NAME."""

        def value(argument: str) -> object:
            try:
                return (parse or text)(argument)
            except ValueError as error:
                raise argparse.ArgumentTypeError(str(error)) from None

        self.add_argument(
            f"--{name}",
            metavar=name.upper(),
            default=os.environ.get(f"EXAMPLE_{name.upper()}") or default,
            type=value,
            help=f"{about} (default: {default})" if default else about,
        )


def text(argument: str) -> str:
    argument.encode()  # what was not UTF-8 is an error here, not in the database
    return argument


def port(argument: str) -> int:
    number = int(argument)
    if not 1 <= number <= 65535:
        raise ValueError("a port is 1 to 65535")
    return number


def connect(options: argparse.Namespace) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the database through the connector, as to any PostgreSQL."""
    return psycopg.connect(
        host=options.host,
        port=options.port,
        dbname=options.db_name,
        user=options.db_user,
        password=options.db_password,
        client_encoding="UTF8",
        connect_timeout=10,
    )


def show(value: bytes | str | None) -> str:
    """Give a field as one printable line, whatever the database sent."""
    if value is None:
        return "(null)"
    raw = value.encode() if isinstance(value, str) else value
    if raw.startswith(ENVELOPE_BEGINS):
        return f"(sealed, {len(raw)} bytes)"
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        return f"(not text, {len(raw)} bytes)"
    if any(char < " " or "\x7f" <= char <= "\x9f" for char in line):
        return f"(not text, {len(raw)} bytes)"
    return line


def run(parser: Options, write: Work, read: Work) -> NoReturn:
    """Do what the options say and exit: 0 done, 1 failed, 2 used wrongly."""
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        if options.print:
            read(options)
        elif options.data is not None:
            write(options)
        else:
            raise UsageError("give --data=VALUE to write, or --print to read")
    except (UsageError, pgseal.InvalidRecipient) as error:
        parser.error(str(error))
    except (Failure, pgseal.PgsealError, psycopg.Error) as error:
        parser.exit(1, f"{parser.prog}: {reason(error)}\n")
    parser.exit(0)


def reason(error: Exception) -> str:
    """Say in one line what went wrong and, where it is known, what to do."""
    line = " ".join(str(error).split())
    if isinstance(error, pgseal.ConnectorUnreachable):
        return f"{line}; start pgseal-connector, or name its API with --api"
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "there is no table yet; write with --data first"
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return "this is a read-only replica; write through the primary's connector"
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return f"{line}; is it pgseal-connector that --host and --port name?"
    return line
