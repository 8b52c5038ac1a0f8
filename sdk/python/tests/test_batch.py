"""Batches: one encapsulation, one owner, many values."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from opening import cut, open_batched
from pgseal import (
    MAX_BATCH_BYTES,
    MAX_BATCH_VALUES,
    BatchEnded,
    BatchFull,
    Recipient,
    Sealer,
)
from pgseal import batch as batching
from vectors import VECTORS, ArmoredToo, Key, recipient_of

BATCHED = [vector for vector in VECTORS["open"] if vector["mode"] == "batch"]


@pytest.mark.parametrize("vector", BATCHED, ids=lambda v: v["name"])
def test_a_batch_seals_byte_for_byte_as_the_vector(
    vector: ArmoredToo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vector["ephemeral_private_key"] is not None
    ephemeral = bytes.fromhex(vector["ephemeral_private_key"])
    nonce = bytes.fromhex(vector["nonce"])
    monkeypatch.setattr(batching, "_random_nonce", lambda: nonce)
    batch = batching.Batch(
        recipient_of(vector), X25519PrivateKey.from_private_bytes(ephemeral)
    )
    assert batch.seal(bytes.fromhex(vector["plaintext"])).hex() == vector["envelope"]


@pytest.mark.parametrize("vector", BATCHED, ids=lambda v: v["name"])
def test_the_opening_these_tests_rely_on_opens_the_vector(vector: ArmoredToo) -> None:
    plaintext = open_batched(
        bytes.fromhex(vector["envelope"]),
        vector["kind"],
        vector["owner"],
        bytes.fromhex(vector["private_key"]),
    )
    assert plaintext.hex() == vector["plaintext"]


@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda k: k["name"])
def test_what_a_batch_seals_opens_by_an_independent_composition(key: Key) -> None:
    values = [bytes([number]) * number for number in (0, 1, 16, 250)]
    with Sealer(recipient_of(key)).batch() as batch:
        envelopes = [batch.seal(value) for value in values]
    private_key = bytes.fromhex(key["private_key"])
    opened = [
        open_batched(envelope, key["kind"], key["owner"], private_key)
        for envelope in envelopes
    ]
    assert opened == values


def test_values_of_a_batch_share_enc_and_no_nonce(recipient: Recipient) -> None:
    with Sealer(recipient).batch() as batch:
        fields = [cut(batch.seal(b"same")) for _ in range(50)]
    assert len({field.enc for field in fields}) == 1
    assert len({field.nonce for field in fields}) == 50


def test_two_batches_share_nothing(recipient: Recipient) -> None:
    sealer = Sealer(recipient)
    with sealer.batch() as first, sealer.batch() as second:
        assert cut(first.seal(b"same")).enc != cut(second.seal(b"same")).enc


def test_an_all_zero_nonce_is_drawn_again(
    recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = [bytes(12), bytes(12), b"twelve bytes"]
    monkeypatch.setattr(os, "urandom", lambda length: draws.pop(0)[:length])
    with Sealer(recipient).batch() as batch:
        assert cut(batch.seal(b"")).nonce == b"twelve bytes"


def test_a_batch_refuses_after_its_block(recipient: Recipient) -> None:
    with Sealer(recipient).batch() as batch:
        batch.seal(b"inside")
    with pytest.raises(BatchEnded, match="block is over"):
        batch.seal(b"outside")
    with pytest.raises(BatchEnded, match="block is over"):
        batch.seal_armored(b"outside")


def test_a_batch_refuses_after_an_exception_left_its_block(
    recipient: Recipient,
) -> None:
    sealer = Sealer(recipient)
    with pytest.raises(ZeroDivisionError), sealer.batch() as batch:
        raise ZeroDivisionError
    with pytest.raises(BatchEnded):
        batch.seal(b"outside")


def test_a_batch_refuses_in_a_forked_process_and_goes_on_in_its_own(
    recipient: Recipient,
) -> None:
    with Sealer(recipient).batch() as batch:
        batch.seal(b"before")
        assert outcome_in_child(batch) == "refused"
        assert len(batch.seal(b"after")) == 85


def test_a_batch_refuses_in_a_child_that_has_its_parents_number(
    recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As between pid namespaces, where both may be number 1.
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with Sealer(recipient).batch() as batch:
        assert outcome_in_child(batch) == "refused"


def test_a_batch_refuses_under_another_number_though_python_saw_no_fork(
    recipient: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after a fork by a library in C.
    with Sealer(recipient).batch() as batch:
        monkeypatch.setattr(os, "getpid", lambda: 1)
        with pytest.raises(BatchEnded, match="forked"):
            batch.seal(b"in the child")


def test_a_fork_while_the_batch_is_counting_does_not_hang_the_child(
    recipient: Recipient,
) -> None:
    with Sealer(recipient).batch() as batch, batch._count:
        assert outcome_in_child(batch) == "refused"


def test_a_batch_ends_at_its_number_of_values(recipient: Recipient) -> None:
    with Sealer(recipient).batch() as batch:
        batch._values = MAX_BATCH_VALUES - 1
        batch.seal(b"the last one")
        with pytest.raises(BatchFull, match="16777216 values"):
            batch.seal(b"")


def test_a_batch_ends_at_its_number_of_bytes(recipient: Recipient) -> None:
    with Sealer(recipient).batch() as batch:
        batch._bytes = MAX_BATCH_BYTES - 4
        with pytest.raises(BatchFull, match="1099511627776 bytes"):
            batch.seal(b"five!")
        batch.seal(b"four")


def test_threads_may_share_a_batch_and_each_value_counts(recipient: Recipient) -> None:
    start = threading.Barrier(4)
    with Sealer(recipient).batch() as batch, ThreadPoolExecutor(4) as pool:

        def fill() -> int:
            start.wait()
            return len({batch.seal(b"value") for _ in range(500)})

        filled = [pool.submit(fill) for _ in range(4)]
        assert [fill.result() for fill in filled] == [500] * 4
        assert batch._values == 2000
        assert batch._bytes == 10_000


def outcome_in_child(batch: batching.Batch) -> str:
    """Seal in a forked process; say what came of it."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            batch.seal(b"in the child")
            status = 1
        except BatchEnded:
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return {0: "refused", 1: "sealed"}.get(os.waitstatus_to_exitcode(status), "failed")
