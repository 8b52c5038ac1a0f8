"""Seal values for pgseal, the transparent encryption proxy for PostgreSQL.

An application seals with a public key and stores what comes out; the pgseal servers
open it on the way back. Nothing here opens: an application holds no private key.
"""

from pgseal.batch import MAX_BATCH_BYTES, MAX_BATCH_VALUES, Batch
from pgseal.connector import Connector
from pgseal.envelope import MAX_PLAINTEXT
from pgseal.errors import (
    BadAnswer,
    BatchEnded,
    BatchFull,
    ConnectorError,
    ConnectorRefused,
    ConnectorUnreachable,
    InvalidRecipient,
    PgsealError,
    PlaintextTooLong,
    SealError,
    StillSealed,
)
from pgseal.fresh import FreshSealer
from pgseal.recipient import Kind, PublicKey, Recipient
from pgseal.sealer import Sealer

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_VALUES",
    "MAX_PLAINTEXT",
    "BadAnswer",
    "Batch",
    "BatchEnded",
    "BatchFull",
    "Connector",
    "ConnectorError",
    "ConnectorRefused",
    "ConnectorUnreachable",
    "FreshSealer",
    "InvalidRecipient",
    "Kind",
    "PgsealError",
    "PlaintextTooLong",
    "PublicKey",
    "Recipient",
    "SealError",
    "Sealer",
    "StillSealed",
]
