"""Opening, for the tests only, and independent of what it checks.

Single values are opened by the `cryptography` library's own HPKE. Values of a batch
are opened by RFC 9180 composed anew from `hmac` and `hashlib`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

LIBRARY = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True)
class Fields:
    """An envelope, cut at the offsets of the specification."""

    head: bytes
    length: int
    nonce: bytes
    enc: bytes
    sealed: bytes


def cut(envelope: bytes) -> Fields:
    fields = Fields(
        head=envelope[:16],
        length=int.from_bytes(envelope[16:20], "big"),
        nonce=envelope[20:32],
        enc=envelope[32:64],
        sealed=envelope[64:],
    )
    assert fields.length == len(envelope) - 20
    return fields


def info_of(envelope: bytes, kind: str, owner: str) -> bytes:
    length = len(owner).to_bytes(2, "big")
    return (
        b"pgseal envelope v1\0"
        + envelope[:16]
        + kind.encode()
        + length
        + owner.encode()
    )


def open_single(envelope: bytes, kind: str, owner: str, private_key: bytes) -> bytes:
    assert cut(envelope).nonce == bytes(12)
    key = X25519PrivateKey.from_private_bytes(private_key)
    return LIBRARY.decrypt(envelope[32:], key, info_of(envelope, kind, owner))


def open_batched(envelope: bytes, kind: str, owner: str, private_key: bytes) -> bytes:
    fields = cut(envelope)
    assert fields.nonce != bytes(12)
    key = X25519PrivateKey.from_private_bytes(private_key)
    dh = key.exchange(X25519PublicKey.from_public_bytes(fields.enc))
    kem = b"HPKE-v1KEM\x00\x20"
    hpke = b"HPKE-v1HPKE\x00\x20\x00\x01\x00\x02"
    kem_context = fields.enc + key.public_key().public_bytes_raw()
    shared_secret = one_block(
        hmac_sha256(b"", kem + b"eae_prk" + dh),
        b"\x00\x20" + kem + b"shared_secret" + kem_context,
    )
    info = info_of(envelope, kind, owner)
    context = (
        b"\x00"
        + hmac_sha256(b"", hpke + b"psk_id_hash")
        + hmac_sha256(b"", hpke + b"info_hash" + info)
    )
    secret = hmac_sha256(shared_secret, hpke + b"secret")
    exporter = one_block(secret, b"\x00\x20" + hpke + b"exp" + context)
    batch_key = one_block(exporter, b"\x00\x20" + hpke + b"sec" + b"pgseal batch v1")
    return AESGCM(batch_key).decrypt(fields.nonce, fields.sealed, None)


def dearmored(text: str) -> bytes:
    prefix, body = text[:5], text[5:]
    assert prefix == "pgs1."
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def one_block(prk: bytes, info: bytes) -> bytes:
    """HKDF-Expand of one hash length is its first block."""
    return hmac_sha256(prk, info + b"\x01")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
