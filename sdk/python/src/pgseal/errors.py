"""Every exception of this package, in one tree under `PgsealError`.

Messages are one line: what, where, and what to do. None carries a plaintext.
"""

from __future__ import annotations


class PgsealError(Exception):
    """The root: catches whatever this package raises, except a wrong type."""


class InvalidRecipient(PgsealError, ValueError):
    """An owner id, public key or key id that nothing may be sealed to."""


class SealError(PgsealError):
    """A value that was not sealed."""


class PlaintextTooLong(SealError):
    """More bytes than one envelope holds (`pgseal.MAX_PLAINTEXT`)."""


class BatchEnded(SealError):
    """A batch used after its `with` block, or in a forked process."""


class BatchFull(SealError):
    """A batch that has reached its number of values or of bytes."""


class StillSealed(PgsealError):
    """A value that was read and is still sealed: no server opened it."""


class ConnectorError(PgsealError):
    """A question to the connector's local API without a usable answer."""


class ConnectorUnreachable(ConnectorError):
    """Nobody listens there, or no whole answer came in time."""


class ConnectorRefused(ConnectorError):
    """The API answered with an error: `status` (HTTP) and `reason` (its own line)."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message, status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class BadAnswer(ConnectorError):
    """What answers is not the API of a pgseal connector, or answers wrongly."""
