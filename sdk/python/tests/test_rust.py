"""Both directions against the Rust implementation, which is what servers open with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import envelope_tool
from envelope_tool import EnvelopeTool
from opening import cut, open_batched, open_single
from pgseal import Sealer
from vectors import VECTORS, WORD, Key, Refused, key_named, recipient_of

LENGTHS = [0, 1, 16, 1024, 65536]
VALUES = [bytes(index % 251 for index in range(length)) for length in LENGTHS]

each_key = pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda k: k["name"])


@pytest.fixture(scope="module")
def rust() -> Iterator[EnvelopeTool]:
    with EnvelopeTool(envelope_tool.path()) as tool:
        yield tool


@each_key
def test_rust_opens_what_python_seals(rust: EnvelopeTool, key: Key) -> None:
    sealer = Sealer(recipient_of(key))
    for value in VALUES:
        envelope = sealer.seal(value)
        opened = rust.open(
            WORD[key["kind"]], key["owner"], key["private_key"], envelope
        )
        assert opened == value


@each_key
def test_rust_opens_what_python_seals_in_a_batch(rust: EnvelopeTool, key: Key) -> None:
    with Sealer(recipient_of(key)).batch() as batch:
        envelopes = [batch.seal(value) for value in VALUES]
    opened = [
        rust.open(WORD[key["kind"]], key["owner"], key["private_key"], envelope)
        for envelope in envelopes
    ]
    assert opened == VALUES


@each_key
def test_what_rust_seals_opens_with_the_library(rust: EnvelopeTool, key: Key) -> None:
    private_key = bytes.fromhex(key["private_key"])
    for value in VALUES:
        envelope = rust.seal(WORD[key["kind"]], key["owner"], key["public_key"], value)
        assert open_single(envelope, key["kind"], key["owner"], private_key) == value


@each_key
def test_what_rust_seals_in_a_batch_opens_by_an_independent_composition(
    rust: EnvelopeTool, key: Key
) -> None:
    envelopes = rust.seal_batch(
        WORD[key["kind"]], key["owner"], key["public_key"], VALUES
    )
    assert len({cut(envelope).enc for envelope in envelopes}) == 1
    private_key = bytes.fromhex(key["private_key"])
    opened = [
        open_batched(envelope, key["kind"], key["owner"], private_key)
        for envelope in envelopes
    ]
    assert opened == VALUES


def test_rust_opens_nothing_for_another_owner_nor_what_was_altered(
    rust: EnvelopeTool,
) -> None:
    key = key_named("client_app")
    envelope = Sealer(recipient_of(key)).seal(b"some data")
    asked = {"kind": "client", "private_key": key["private_key"]}
    other = rust.ask("open", **asked, owner="other", envelope=envelope.hex())
    assert set(other) == {"error"}
    altered = envelope[:-1] + bytes([envelope[-1] ^ 1])
    answer = rust.ask("open", **asked, owner="app", envelope=altered.hex())
    assert set(answer) == {"error"}


@pytest.mark.parametrize("vector", VECTORS["writer_refuses"], ids=lambda v: v["name"])
def test_rust_refuses_to_seal_where_python_does(
    rust: EnvelopeTool, vector: Refused
) -> None:
    answer = rust.ask(
        "seal",
        kind=WORD[vector["kind"]],
        owner=vector["owner"],
        public_key=vector["public_key"],
        plaintext="00",
    )
    assert set(answer) == {"error"}
