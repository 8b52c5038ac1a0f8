"""Whom a value is sealed to: an owner (a client or a zone) and its public key.

Owns every check that a writer makes before it seals, so that nothing is sealed that
would never open. Where a recipient comes from is `pgseal.connector`'s matter or the
application's.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)

from pgseal.errors import InvalidRecipient

KEY_ID_LABEL = b"pgseal key id v1"
SUITE = 1
"""DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""

PUBLIC_KEY_BYTES = 32
FIELD_PRIME = 2**255 - 19

CLIENT_ID = re.compile(r"[A-Za-z0-9_.:@-]{1,128}")
ZONE_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_.:-]{8,64}")


class Kind(enum.Enum):
    """What an owner is. The value is the control API's word for it."""

    CLIENT = "client"
    ZONE = "zone"

    @property
    def byte(self) -> bytes:
        """The letter for it in an envelope's `info`."""
        return b"c" if self is Kind.CLIENT else b"z"


@dataclass(frozen=True)
class PublicKey:
    """An X25519 public key that values can be sealed to: 32 bytes, checked.

    Raises `InvalidRecipient` for a key of another length, one that is not canonical
    (top bit set, or not below 2^255 - 19) and one of low order.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes):
            raise TypeError(f"a public key is bytes, not {type(self.raw).__name__}")
        if len(self.raw) != PUBLIC_KEY_BYTES:
            raise InvalidRecipient(
                f"public key has {len(self.raw)} bytes, not {PUBLIC_KEY_BYTES}"
            )
        if int.from_bytes(self.raw, "little") >= FIELD_PRIME:
            raise InvalidRecipient("public key is not canonical: nothing would open")
        if _is_of_low_order(self.raw):
            raise InvalidRecipient("public key is of low order: it keeps no secret")

    @classmethod
    def from_base64(cls, text: str) -> PublicKey:
        """Read the control API's form: standard base64, padded."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRecipient("public key is not base64") from None
        if base64.b64encode(raw).decode("ascii") != text:
            raise InvalidRecipient("public key is not base64 in its one spelling")
        return cls(raw)

    @property
    def key_id(self) -> str:
        """First 8 bytes of SHA-256(label, suite, public key), as 16 hex digits."""
        digest = hashlib.sha256(KEY_ID_LABEL + bytes([SUITE]) + self.raw).digest()
        return digest[:8].hex()


@dataclass(frozen=True, init=False)
class Recipient:
    """An owner and its public key: all that sealing needs.

    `kind` is a `Kind` or its word ("client", "zone"). `key_id` (16 hex digits), where
    it is known, is checked against the public key. Raises `InvalidRecipient`.
    """

    kind: Kind
    owner: str
    public_key: PublicKey
    key_id: str

    def __init__(
        self,
        kind: Kind | str,
        owner: str,
        public_key: PublicKey,
        key_id: str | None = None,
    ) -> None:
        kind = _kind(kind)
        check_owner_id(kind, owner)
        if key_id is not None and key_id.lower() != public_key.key_id:
            raise InvalidRecipient(
                f"key id {key_id!r} of {kind.value} {owner} is not that of its"
                f" public key, {public_key.key_id}: one of the two is another key's"
            )
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "owner", owner)
        object.__setattr__(self, "public_key", public_key)
        object.__setattr__(self, "key_id", public_key.key_id)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> Recipient:
        """Read the control API's shape: kind, id, public_key (base64), key_id.

        Further fields are left to whoever knows them.
        """
        return cls(
            _text(fields, "kind"),
            _text(fields, "id"),
            PublicKey.from_base64(_text(fields, "public_key")),
            _text(fields, "key_id"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipient:
        """Read the control API's shape from JSON, as `from_dict` does."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidRecipient("recipient is not JSON") from None
        if not isinstance(fields, dict):
            raise InvalidRecipient("recipient is not a JSON object")
        return cls.from_dict(fields)


def check_owner_id(kind: Kind, owner: str) -> None:
    """Raise `InvalidRecipient` unless `owner` is an id of its kind."""
    if kind is Kind.CLIENT and not CLIENT_ID.fullmatch(owner):
        raise InvalidRecipient(
            f"client id {owner!r} is not 1 to 128 of A-Z a-z 0-9 _ . : @ -"
        )
    if kind is Kind.ZONE and not ZONE_ID.fullmatch(owner):
        raise InvalidRecipient(
            f"zone id {owner!r} is not 8 to 64 of A-Z a-z 0-9 _ . : - with a letter"
        )


def _kind(word: Kind | str) -> Kind:
    try:
        return Kind(word)
    except ValueError:
        raise InvalidRecipient(f"kind {word!r} is not client or zone") from None


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidRecipient(f"recipient has no text in {name!r}")
    return value


def _is_of_low_order(raw: bytes) -> bool:
    # X25519 multiplies by 8 whatever the private key is, so any key gives all zeros
    # with a point of low order, which the library refuses (RFC 7748, section 6.1),
    # and none does with another point.
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        return True
    return False
