"""The README's examples run as they stand, but for the connector's port."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pgseal
from api_server import ApiServer, shape_of
from opening import open_batched, open_single
from pgseal.sqlalchemy import SealedText
from vectors import key_named

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
CLIENT = key_named("client_app")
ZONE = key_named("zone_acra")


def test_the_examples_of_the_readme_run(api: ApiServer) -> None:
    seal, zones, batch, models, offline = (
        block.replace("http://127.0.0.1:9191", api.url) for block in BLOCKS
    )
    names: dict[str, object] = {}

    api.answers(200, json.dumps(shape_of(CLIENT)))
    run(seal, names)
    assert opened(names["sealed"]) == b"4111 1111 1111 1111"
    assert str(names["text"]).startswith("pgs1.")

    api.answers(200, json.dumps(shape_of(ZONE)))
    run(zones, names)
    assert names["zone"] == names["same_zone"]
    fresh = names["fresh"]
    assert isinstance(fresh, pgseal.FreshSealer)
    assert fresh.recipient == names["zone"]

    run(batch, names)
    rows = names["rows"]
    assert isinstance(rows, list)
    private_key = bytes.fromhex(CLIENT["private_key"])
    values = [open_batched(row, "c", "app", private_key) for row in rows]
    assert values == [b"one", b"two", b"three"]

    run(models, names)
    card = names["Card"]
    assert isinstance(card, type)
    assert isinstance(card.__table__.c.number.type, SealedText)  # type: ignore[attr-defined]

    run(offline, names)
    assert opened(names["sealed"]) == b"some data"


def run(block: str, names: dict[str, object]) -> None:
    # Not with this module's own __future__: SQLAlchemy would look for names here.
    exec(compile(block, "README.md", "exec", dont_inherit=True), names)


def test_the_numbers_of_the_readme_are_those_of_the_code() -> None:
    text = README.read_text("utf-8")
    assert f"{pgseal.MAX_PLAINTEXT:,} bytes" in text
    assert (pgseal.MAX_BATCH_VALUES, pgseal.MAX_BATCH_BYTES) == (2**24, 2**40)
    for error in ("InvalidRecipient", "ConnectorRefused", "BadAnswer", "BatchFull"):
        assert error in text


def opened(envelope: object) -> bytes:
    assert isinstance(envelope, bytes)
    return open_single(envelope, "c", "app", bytes.fromhex(CLIENT["private_key"]))
