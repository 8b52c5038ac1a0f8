"""The bytes of an envelope, version 1, suite 01, around the sealed message.

Owns layout, `info` and text armor, after the envelope specification. What stands in
the message is made by `pgseal.sealer` (single shot) and `pgseal.batch`.

    offset  bytes  field
         0      4  magic, F5 70 67 73
         4      1  version, 1
         5      1  suite, 1
         6      2  flags, 0
         8      8  key id
        16      4  length of what follows
        20     12  nonce: zero for a single shot, random for a value of a batch
        32     32  encapsulated key
        64   n+16  ciphertext and tag
"""

from __future__ import annotations

import base64
from typing import Union

from pgseal.errors import PlaintextTooLong
from pgseal.recipient import SUITE, Recipient

INFO_LABEL = b"pgseal envelope v1"
MAGIC = b"\xf5pgs"
VERSION = 1
NO_FLAGS = b"\0\0"
ARMOR = "pgs1."
ARMORED_MAGIC = ARMOR + "9XBncw"
"""How armor begins: the characters that the magic alone decides."""

NONCE_BYTES = 12
SINGLE_SHOT_NONCE = bytes(NONCE_BYTES)
ENC_BYTES = 32
TAG_BYTES = 16

MAX_LENGTH = 2**28
"""Most that the length field may say: bytes after it."""

MAX_PLAINTEXT = MAX_LENGTH - NONCE_BYTES - ENC_BYTES - TAG_BYTES
"""Most plaintext bytes in one envelope."""

Buffer = Union[bytes, bytearray, memoryview]
"""What can be sealed: bytes. Text is encoded by the application first."""


def head(recipient: Recipient) -> bytes:
    """Return bytes 0 to 15, the same for all envelopes of one recipient."""
    key_id = bytes.fromhex(recipient.key_id)
    return MAGIC + bytes([VERSION, SUITE]) + NO_FLAGS + key_id


def info(recipient: Recipient) -> bytes:
    """Return HPKE's `info`: label, 00, head, kind, length of owner id, owner id."""
    owner = recipient.owner.encode("ascii")
    owner_length = len(owner).to_bytes(2, "big")
    return (
        INFO_LABEL
        + b"\0"
        + head(recipient)
        + recipient.kind.byte
        + owner_length
        + owner
    )


def checked_plaintext(plaintext: Buffer) -> bytes:
    """Return the bytes to seal; `TypeError` unless bytes, `PlaintextTooLong`."""
    if not isinstance(plaintext, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"only bytes are sealed, not {type(plaintext).__name__}: encode it first"
        )
    length = memoryview(plaintext).nbytes
    if length > MAX_PLAINTEXT:
        raise PlaintextTooLong(
            f"plaintext has {length} bytes, an envelope holds {MAX_PLAINTEXT}:"
            " store it in parts"
        )
    return bytes(plaintext)


def assemble(head: bytes, nonce: bytes, message: bytes) -> bytes:
    """Put head, length, nonce and message (enc, ciphertext, tag) together."""
    length = len(nonce) + len(message)
    return head + length.to_bytes(4, "big") + nonce + message


def armor(envelope: bytes) -> str:
    """Return the text form, for text, varchar and json columns."""
    return ARMOR + base64.urlsafe_b64encode(envelope).rstrip(b"=").decode("ascii")
