"""The test vectors of the envelope format, which all implementations share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from pgseal import PublicKey, Recipient

REPOSITORY = Path(__file__).resolve().parents[3]
PATH = REPOSITORY / "crates/envelope/tests/vectors/envelope-v1.json"


class Key(TypedDict):
    name: str
    kind: str
    owner: str
    private_key: str
    public_key: str
    key_id: str


class Sealed(TypedDict):
    name: str
    mode: str
    kind: str
    owner: str
    private_key: str
    public_key: str
    key_id: str
    info: str
    ephemeral_private_key: str | None
    enc: str
    nonce: str
    plaintext: str
    envelope: str


class ArmoredToo(Sealed, total=False):
    armored: str


class Refused(TypedDict):
    name: str
    kind: str
    owner: str
    public_key: str
    reason: str


class Hpke(TypedDict):
    info: str
    skEm: str
    pkRm: str
    enc: str
    shared_secret: str
    exporter_secret: str
    exports: list[tuple[str, int, str]]


class Vectors(TypedDict):
    keys: list[Key]
    hpke: Hpke
    open: list[ArmoredToo]
    writer_refuses: list[Refused]


VECTORS: Vectors = json.loads(PATH.read_text(encoding="utf-8"))

WORD = {"c": "client", "z": "zone"}
"""From the format's byte for an owner's kind to the control API's word."""


def recipient_of(key: Key | ArmoredToo) -> Recipient:
    public_key = PublicKey(bytes.fromhex(key["public_key"]))
    return Recipient(WORD[key["kind"]], key["owner"], public_key, key["key_id"])


def key_named(name: str) -> Key:
    return next(key for key in VECTORS["keys"] if key["name"] == name)
