#!/usr/bin/env python3
"""Say which server and which database answer, every two seconds, by a session of its own each time.

Usage: who_answers.py [--port PORT] [--api PORT] [--times NUMBER] [--every SECONDS]. The port is a connector's, and
that of its local API, which tells where its sessions are (`GET /v1/sessions`). Login and password come from
libpq's variables; the database says its name by `cluster_name`. A session that fails is told with its error.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import urllib.request

import psycopg

LIMIT = 10  # seconds that a connect, or an answer of the API, may take
NAME = "select current_setting('cluster_name')"


def answers(port: int, api: int) -> dict[str, str]:
    """Return who answers to a session at that port."""
    try:
        with psycopg.connect(
            host="127.0.0.1", port=port, connect_timeout=LIMIT
        ) as session:
            name = session.execute(NAME).fetchone()
            server = server_of(session.info.backend_pid, api)
    except (psycopg.Error, OSError) as error:
        return {"error": " ".join(str(error).split())}
    return {"database": name[0] if name else "", "server": server}


def server_of(process: int, api: int) -> str:
    """Return the server by which the connector has that session, by its certificate."""
    url = f"http://127.0.0.1:{api}/v1/sessions"
    with urllib.request.urlopen(url, timeout=LIMIT) as answer:
        sessions = json.load(answer)["sessions"]
    return next(
        (str(it["server_id"]) for it in sessions if it["process"] == process), ""
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9494, help="of the connector")
    parser.add_argument("--api", type=int, default=9191, help="of its local API")
    parser.add_argument("--times", type=int, help="so often; for ever where not said")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between them")
    options = parser.parse_args()
    counter = range(options.times) if options.times else itertools.count()
    for number in counter:
        if number:
            time.sleep(options.every)
        print(json.dumps(answers(options.port, options.api)), flush=True)
