"""What a writer checks before it seals."""

from __future__ import annotations

import json

import pytest

from api_server import shape_of
from pgseal import InvalidRecipient, Kind, PublicKey, Recipient
from vectors import VECTORS, WORD, Key, Refused, key_named, recipient_of

P = 2**255 - 19
LOW_ORDER = {
    "zero": bytes(32),
    "one": bytes([1]) + bytes(31),
    "order_8_first": bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
    ),
    "order_8_second": bytes.fromhex(
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
    ),
    "p_minus_one": (P - 1).to_bytes(32, "little"),
}
CLIENT_APP = key_named("client_app")


@pytest.mark.parametrize("vector", VECTORS["writer_refuses"], ids=lambda v: v["name"])
def test_writer_refuses(vector: Refused) -> None:
    with pytest.raises(InvalidRecipient):
        Recipient(
            WORD[vector["kind"]],
            vector["owner"],
            PublicKey(bytes.fromhex(vector["public_key"])),
        )


@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda k: k["name"])
def test_every_owner_of_the_vectors_is_accepted_with_its_key_id(key: Key) -> None:
    recipient = recipient_of(key)
    assert recipient.public_key.key_id == key["key_id"]
    assert recipient.kind.byte.decode() == key["kind"]
    assert recipient.key_id == key["key_id"]
    assert recipient == Recipient.from_json(json.dumps(shape_of(key)))


@pytest.mark.parametrize("point", LOW_ORDER.values(), ids=LOW_ORDER.keys())
def test_a_public_key_of_low_order_is_refused(point: bytes) -> None:
    with pytest.raises(InvalidRecipient, match="low order"):
        PublicKey(point)


@pytest.mark.parametrize("number", [P, P + 1, P + 18, 2**255, 2**255 + 9, 2**256 - 1])
def test_a_public_key_that_is_not_canonical_is_refused(number: int) -> None:
    with pytest.raises(InvalidRecipient, match="not canonical"):
        PublicKey(number.to_bytes(32, "little"))


def test_the_greatest_canonical_public_key_is_accepted() -> None:
    # 2^255 - 21, for p - 1 is of low order.
    assert PublicKey((P - 2).to_bytes(32, "little")).raw[0] == 0xEB


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidRecipient, match="not 32"):
        PublicKey(bytes([9]) * length)


def test_the_key_id_of_another_key_is_refused() -> None:
    other = VECTORS["keys"][1]
    with pytest.raises(InvalidRecipient, match="is not that of its public key"):
        Recipient.from_dict(shape_of(CLIENT_APP) | {"key_id": other["key_id"]})


def test_a_key_id_may_be_written_in_capitals() -> None:
    shape = shape_of(CLIENT_APP) | {"key_id": CLIENT_APP["key_id"].upper()}
    assert Recipient.from_dict(shape).key_id == CLIENT_APP["key_id"]


@pytest.mark.parametrize("name", ["kind", "id", "public_key", "key_id"])
@pytest.mark.parametrize("value", [None, 1, ["app"], ""])
def test_a_field_that_is_missing_or_not_text_is_refused(
    name: str, value: object
) -> None:
    shape = shape_of(CLIENT_APP) | {name: value}
    if value is None:
        del shape[name]
    with pytest.raises(InvalidRecipient):
        Recipient.from_dict(shape)


def test_fields_that_a_writer_does_not_know_are_left_alone() -> None:
    shape = shape_of(CLIENT_APP) | {"version": 7, "created": "today"}
    assert Recipient.from_dict(shape).owner == "app"


@pytest.mark.parametrize("kind", ["Client", "c", "server", "zones", ""])
def test_a_kind_that_is_not_known_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRecipient, match="not client or zone"):
        Recipient.from_dict(shape_of(CLIENT_APP) | {"kind": kind})


def test_a_client_id_is_no_zone_id() -> None:
    with pytest.raises(InvalidRecipient, match="zone id 'app'"):
        Recipient.from_dict(shape_of(CLIENT_APP) | {"kind": "zone"})


@pytest.mark.parametrize(
    "text",
    [
        "42df8af30f5ed3ae4c3b8f1475a1629476a15853ed60bcf1a55c3bcbdf017e1d",
        "Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh0",
        "Qt-K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh0=",
        "Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh1=",
        "Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh0=\n",
        "Qt+K8w9e065MO48UdaFilHahWFPtYLzxpVw7y98Bfh0é",
        "",
    ],
    ids=["hex", "no_padding", "url", "unused_bits", "line_break", "unicode", "empty"],
)
def test_a_public_key_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecipient):
        PublicKey.from_base64(text)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"client"', b"\xff", "[" * 100_000]
)
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidRecipient):
        Recipient.from_json(text)


def test_a_public_key_that_is_not_bytes_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not str"):
        PublicKey("9" * 32)  # type: ignore[arg-type]


def test_a_recipient_cannot_be_changed_after_its_checks(recipient: Recipient) -> None:
    with pytest.raises(AttributeError):
        recipient.owner = "other"  # type: ignore[misc]
    assert recipient.kind is Kind.CLIENT
