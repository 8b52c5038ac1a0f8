"""A sealer whose public key keeps itself fresh.

Owns when a key is asked for again, and how long an old one may serve while there is no
answer. Where keys come from is `pgseal.connector`'s matter, sealing `pgseal.sealer`'s.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pgseal.batch import Batch
from pgseal.envelope import Buffer
from pgseal.errors import BadAnswer, ConnectorError, ConnectorRefused
from pgseal.recipient import Recipient
from pgseal.sealer import Sealer

DEFAULT_LIFETIME = 60.0
DEFAULT_MAX_STALE = 3600.0
RETRY = 5.0
"""Seconds from a question without an answer to the next: not every value waits."""

TEMPORARY = (408, 429)
"""Refusals that say nothing of the key; so do all from 500 on."""


@dataclass(frozen=True)
class _Held:
    """A key, and when it was last known to be the one to use."""

    sealer: Sealer
    known: float


class FreshSealer:
    """Seals as `Sealer` does, to the key that `fetch` says is the one to use now.

    `fetch` is a question to a `Connector`: `connector.client`, or `partial(
    connector.zone, id)`. It is asked at the first use, and again once the answer is
    `lifetime` seconds old, by one thread while the others go on. So a rotated key is
    in use a minute later, and nothing has to be restarted.

    Without an answer (`ConnectorUnreachable`, `BadAnswer`, a refusal from 500 on) the
    key it has serves on, until that is `max_stale` seconds old; from then on the error
    is raised. A refusal that is meant (no such zone, not allowed) is raised at once:
    what is sealed to a zone that was destroyed is lost.

    Threads and forked processes may share it. A batch stays with its key to its end.
    """

    def __init__(
        self,
        fetch: Callable[[], Recipient],
        *,
        lifetime: float = DEFAULT_LIFETIME,
        max_stale: float = DEFAULT_MAX_STALE,
    ) -> None:
        if not 0 <= lifetime <= max_stale:
            raise ValueError(
                f"lifetime ({lifetime:g} s) is not between 0 and max_stale"
                f" ({max_stale:g} s)"
            )
        self._fetch = fetch
        self._lifetime = lifetime
        self._max_stale = max_stale
        self._held: _Held | None = None
        self._failed = -math.inf
        self._asking = threading.Lock()
        self._process = os.getpid()

    @property
    def recipient(self) -> Recipient:
        """Whom this seals to now; fetched if it has to be."""
        return self._sealer().recipient

    def seal(self, plaintext: Buffer) -> bytes:
        """Seal one value as `Sealer.seal` does."""
        return self._sealer().seal(plaintext)

    def seal_armored(self, plaintext: Buffer) -> str:
        """Seal one value as `Sealer.seal_armored` does."""
        return self._sealer().seal_armored(plaintext)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Open a batch as `Sealer.batch` does."""
        with self._sealer().batch() as batch:
            yield batch

    def _sealer(self) -> Sealer:
        if self._process != os.getpid():
            # A fork copies a lock as it is: held, perhaps, by a thread it has not.
            self._asking, self._process = threading.Lock(), os.getpid()
        held, now = self._held, _now()
        if held is None or now - held.known >= self._max_stale:
            # There is nothing to go on with: every thread asks, and none waits for the
            # others' time-outs.
            return self._renewed(now)
        is_due = now - held.known >= self._lifetime and now - self._failed >= RETRY
        if is_due and self._asking.acquire(blocking=False):
            try:
                return self._renewed(now)
            finally:
                self._asking.release()
        return held.sealer

    def _renewed(self, now: float) -> Sealer:
        """Ask; give what to seal with, or raise."""
        held = self._held
        try:
            recipient = self._fetch()
        except ConnectorError as error:
            self._failed = now
            if not _is_temporary(error):
                self._held = None
                raise
            if held is None or now - held.known >= self._max_stale:
                raise
            return held.sealer
        if held is None:
            sealer = Sealer(recipient)
        elif recipient == held.sealer.recipient:
            sealer = held.sealer
        else:
            sealer = _successor(held.sealer.recipient, recipient)
        # As of before the question: the answer may have taken a while.
        self._held = _Held(sealer, now)
        return sealer


def _successor(old: Recipient, new: Recipient) -> Sealer:
    if (old.kind, old.owner) != (new.kind, new.owner):
        raise BadAnswer(
            f"the key of {old.kind.value} {old.owner} was asked for anew, and that of"
            f" {new.kind.value} {new.owner} came: make another sealer if that is meant"
        )
    return Sealer(new)


def _is_temporary(error: ConnectorError) -> bool:
    if isinstance(error, ConnectorRefused):
        return error.status >= 500 or error.status in TEMPORARY
    return True


def _now() -> float:
    """Seconds that go on while the host sleeps, where the system counts them."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
