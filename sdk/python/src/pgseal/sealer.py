"""Sealing values to one recipient: one message each, or a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from pgseal import envelope
from pgseal.batch import Batch
from pgseal.envelope import Buffer
from pgseal.recipient import Recipient

_SUITE_01 = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Sealer:
    """Seals values to `recipient`. Threads and forked processes may share it."""

    def __init__(self, recipient: Recipient) -> None:
        self._recipient = recipient
        self._public_key = X25519PublicKey.from_public_bytes(recipient.public_key.raw)
        self._head = envelope.head(recipient)
        self._info = envelope.info(recipient)

    @property
    def recipient(self) -> Recipient:
        """Whom this seals to."""
        return self._recipient

    def seal(self, plaintext: Buffer) -> bytes:
        """Seal one value of at most `MAX_PLAINTEXT` bytes; return its envelope.

        The envelope is 80 bytes longer than the value and goes into a `bytea` column.
        Raises `PlaintextTooLong`.
        """
        data = envelope.checked_plaintext(plaintext)
        message = _SUITE_01.encrypt(data, self._public_key, self._info)
        return envelope.assemble(self._head, envelope.SINGLE_SHOT_NONCE, message)

    def seal_armored(self, plaintext: Buffer) -> str:
        """Seal one value as `seal` does, into the text form.

        It begins `pgs1.` and goes into a `text`, `varchar`, `json` or `jsonb` column.
        """
        return envelope.armor(self.seal(plaintext))

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Open a batch for the length of a `with` block.

        Its values share one encapsulation, which makes each many times cheaper, and
        which shows whoever reads the database that they were written together. At most
        `MAX_BATCH_VALUES` values and `MAX_BATCH_BYTES` bytes.
        """
        batch = Batch(self._recipient, X25519PrivateKey.generate())
        try:
            yield batch
        finally:
            batch._end()
