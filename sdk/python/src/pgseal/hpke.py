"""HPKE's Export, sender's side, Base mode (RFC 9180), for suite 01 only.

The `cryptography` library seals single messages but offers no Export, which batches
need; this composes it from the library's X25519, HMAC and HKDF. All labels are here
on top; what is exported is for `pgseal.batch` to say.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HPKE_VERSION = b"HPKE-v1"
KEM_ID = b"\x00\x20"  # DHKEM(X25519, HKDF-SHA256)
KDF_ID = b"\x00\x01"  # HKDF-SHA256
AEAD_ID = b"\x00\x02"  # AES-256-GCM
KEM_SUITE_ID = b"KEM" + KEM_ID
HPKE_SUITE_ID = b"HPKE" + KEM_ID + KDF_ID + AEAD_ID
MODE_BASE = b"\x00"
NO_PSK = b""

HASH_BYTES = 32
"""Nh of HKDF-SHA256 and Nsecret of the KEM."""


def encapsulate(recipient: bytes, ephemeral: X25519PrivateKey) -> tuple[bytes, bytes]:
    """Return the encapsulated key and the shared secret (RFC 9180, 4.1 Encap).

    `ephemeral` is drawn for this one call. Raises `ValueError` if the result of
    X25519 is all zero (7.1.4).
    """
    enc = ephemeral.public_key().public_bytes_raw()
    dh = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    eae_prk = _labeled_extract(KEM_SUITE_ID, b"", b"eae_prk", dh)
    kem_context = enc + recipient
    shared_secret = _labeled_expand(
        KEM_SUITE_ID, eae_prk, b"shared_secret", kem_context, HASH_BYTES
    )
    return enc, shared_secret


def exporter_secret(shared_secret: bytes, info: bytes) -> bytes:
    """Return the exporter secret of the key schedule (RFC 9180, 5.1)."""
    psk_id_hash = _labeled_extract(HPKE_SUITE_ID, b"", b"psk_id_hash", NO_PSK)
    info_hash = _labeled_extract(HPKE_SUITE_ID, b"", b"info_hash", info)
    context = MODE_BASE + psk_id_hash + info_hash
    secret = _labeled_extract(HPKE_SUITE_ID, shared_secret, b"secret", NO_PSK)
    return _labeled_expand(HPKE_SUITE_ID, secret, b"exp", context, HASH_BYTES)


def export(exporter_secret: bytes, exporter_context: bytes, length: int) -> bytes:
    """Return `length` bytes for `exporter_context` (RFC 9180, 5.3)."""
    return _labeled_expand(
        HPKE_SUITE_ID, exporter_secret, b"sec", exporter_context, length
    )


def _labeled_extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    # HKDF-Extract(salt, ikm) is HMAC(salt, ikm), and HMAC pads an empty key with the
    # zeros that HKDF's default salt is (RFC 5869, 2.2).
    mac = hmac.HMAC(salt, hashes.SHA256())
    mac.update(HPKE_VERSION + suite_id + label + ikm)
    return mac.finalize()


def _labeled_expand(
    suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int
) -> bytes:
    labeled_info = length.to_bytes(2, "big") + HPKE_VERSION + suite_id + label + info
    return HKDFExpand(hashes.SHA256(), length, labeled_info).derive(prk)
