"""Single values: the library's HPKE message behind our header."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from opening import cut, dearmored, open_single
from pgseal import MAX_PLAINTEXT, PlaintextTooLong, Recipient, Sealer
from pgseal import envelope as layout
from vectors import VECTORS, ArmoredToo, Key, recipient_of

SINGLE = [vector for vector in VECTORS["open"] if vector["mode"] == "single"]
ARMORED = [vector for vector in VECTORS["open"] if "armored" in vector]
LENGTHS = [0, 1, 16, 1024, 65536]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda k: k["name"])
def test_what_is_sealed_opens_with_the_library(key: Key, length: int) -> None:
    plaintext = bytes(index % 251 for index in range(length))
    envelope = Sealer(recipient_of(key)).seal(plaintext)
    private_key = bytes.fromhex(key["private_key"])
    assert open_single(envelope, key["kind"], key["owner"], private_key) == plaintext
    assert len(envelope) == length + 80


@pytest.mark.parametrize("vector", SINGLE, ids=lambda v: v["name"])
def test_header_and_info_are_those_of_the_vector(vector: ArmoredToo) -> None:
    recipient = recipient_of(vector)
    envelope = Sealer(recipient).seal(bytes.fromhex(vector["plaintext"]))
    assert envelope[:32].hex() == vector["envelope"][:64]
    assert layout.info(recipient).hex() == vector["info"]


@pytest.mark.parametrize("vector", SINGLE, ids=lambda v: v["name"])
def test_the_opening_these_tests_rely_on_opens_the_vector(vector: ArmoredToo) -> None:
    plaintext = open_single(
        bytes.fromhex(vector["envelope"]),
        vector["kind"],
        vector["owner"],
        bytes.fromhex(vector["private_key"]),
    )
    assert plaintext.hex() == vector["plaintext"]


@pytest.mark.parametrize("vector", ARMORED, ids=lambda v: v["name"])
def test_armor_is_that_of_the_vector(vector: ArmoredToo) -> None:
    assert layout.armor(bytes.fromhex(vector["envelope"])) == vector["armored"]


def test_an_armored_value_is_the_text_form_of_an_envelope() -> None:
    key = VECTORS["keys"][0]
    text = Sealer(recipient_of(key)).seal_armored(b"some data")
    assert text.startswith("pgs1.9XBncwEB")
    envelope = dearmored(text)
    private_key = bytes.fromhex(key["private_key"])
    assert open_single(envelope, "c", "app", private_key) == b"some data"


def test_a_value_opens_for_no_other_owner_of_the_same_key() -> None:
    key = VECTORS["keys"][0]
    envelope = Sealer(recipient_of(key)).seal(b"some data")
    with pytest.raises(InvalidTag):
        open_single(envelope, "c", "apq", bytes.fromhex(key["private_key"]))
    with pytest.raises(InvalidTag):
        open_single(envelope, "z", "app", bytes.fromhex(key["private_key"]))


def test_each_value_has_an_encapsulation_of_its_own(recipient: Recipient) -> None:
    sealer = Sealer(recipient)
    assert len({cut(sealer.seal(b"same")).enc for _ in range(50)}) == 50


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_whatever_holds_bytes_is_sealed(form: type) -> None:
    key = VECTORS["keys"][0]
    envelope = Sealer(recipient_of(key)).seal(form(b"some data"))
    private_key = bytes.fromhex(key["private_key"])
    assert open_single(envelope, "c", "app", private_key) == b"some data"


@pytest.mark.parametrize("value", ["text", 5, None, [1, 2]])
def test_what_is_not_bytes_is_a_type_error(recipient: Recipient, value: object) -> None:
    sealer = Sealer(recipient)
    with pytest.raises(TypeError, match="only bytes are sealed"):
        sealer.seal(value)  # type: ignore[arg-type]
    with sealer.batch() as batch, pytest.raises(TypeError, match="only bytes"):
        batch.seal(value)  # type: ignore[arg-type]


def test_one_byte_more_than_an_envelope_holds_is_refused(recipient: Recipient) -> None:
    too_long = bytearray(MAX_PLAINTEXT + 1)
    sealer = Sealer(recipient)
    with pytest.raises(PlaintextTooLong):
        sealer.seal(too_long)
    with sealer.batch() as batch, pytest.raises(PlaintextTooLong):
        batch.seal(too_long)


def test_the_longest_plaintext_fills_the_length_field() -> None:
    assert MAX_PLAINTEXT + 60 == 2**28
