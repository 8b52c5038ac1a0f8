"""One encapsulation for many values of one recipient.

Owns the batch key, the nonces and the limits. A batch is made by `Sealer.batch` only,
which also ends it.
"""

from __future__ import annotations

import os
import threading

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pgseal import envelope, hpke
from pgseal.envelope import Buffer
from pgseal.errors import BatchEnded, BatchFull
from pgseal.recipient import Recipient

EXPORT_LABEL = b"pgseal batch v1"
KEY_BYTES = 32

MAX_BATCH_VALUES = 2**24
MAX_BATCH_BYTES = 2**40
"""Limits of one batch: with random nonces a collision stays under 2^-49."""

_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


def _process() -> tuple[int, int]:
    # The count tells a child that has its parent's number in another pid namespace;
    # the number tells one that was forked without Python's knowledge.
    return os.getpid(), _forks


class Batch:
    """A batch that is open: seals values under one encapsulation.

    Threads may share it. It refuses (`BatchEnded`) after its `with` block and in a
    forked process, and (`BatchFull`) beyond its limits.
    """

    def __init__(self, recipient: Recipient, ephemeral: X25519PrivateKey) -> None:
        self._head = envelope.head(recipient)
        self._enc, shared_secret = hpke.encapsulate(recipient.public_key.raw, ephemeral)
        secret = hpke.exporter_secret(shared_secret, envelope.info(recipient))
        key = hpke.export(secret, EXPORT_LABEL, KEY_BYTES)
        self._cipher: AESGCM | None = AESGCM(key)
        self._process = _process()
        self._count = threading.Lock()
        self._values = 0
        self._bytes = 0

    def seal(self, plaintext: Buffer) -> bytes:
        """Seal one value of at most `MAX_PLAINTEXT` bytes; return its envelope.

        Raises `BatchEnded`, `BatchFull` or `PlaintextTooLong`.
        """
        data = envelope.checked_plaintext(plaintext)
        cipher = self._take(len(data))
        return self._assemble(cipher, _random_nonce(), data)

    def seal_armored(self, plaintext: Buffer) -> str:
        """Seal one value as `seal` does, into the text form."""
        return envelope.armor(self.seal(plaintext))

    def _take(self, length: int) -> AESGCM:
        """Count one value of `length` bytes and return the cipher for it."""
        # Before the lock, which a fork may have copied while it was held.
        if self._process != _process():
            raise BatchEnded("the process has forked: open a batch of its own in it")
        with self._count:
            if self._cipher is None:
                raise BatchEnded("the batch's with block is over: open another one")
            if self._values + 1 > MAX_BATCH_VALUES:
                raise BatchFull(f"batch has {MAX_BATCH_VALUES} values: open another")
            if self._bytes + length > MAX_BATCH_BYTES:
                raise BatchFull(f"batch has {MAX_BATCH_BYTES} bytes: open another")
            self._values += 1
            self._bytes += length
            return self._cipher

    def _assemble(self, cipher: AESGCM, nonce: bytes, data: bytes) -> bytes:
        message = self._enc + cipher.encrypt(nonce, data, None)
        return envelope.assemble(self._head, nonce, message)

    def _end(self) -> None:
        """Forget the key; what is asked of the batch afterwards is refused."""
        self._cipher = None


def _random_nonce() -> bytes:
    # All zero would say "single shot".
    nonce = envelope.SINGLE_SHOT_NONCE
    while nonce == envelope.SINGLE_SHOT_NONCE:
        nonce = os.urandom(envelope.NONCE_BYTES)
    return nonce
