"""What the applications met, a line of JSON each, as they write it and as it is judged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ACCEPTED = "accepted"
REFUSED = "refused"  # by an error that says so
UNCLEAR = "unclear"  # the session was lost meanwhile


@dataclass
class Write:
    """A write, by the clock of the machine in seconds, as all times here."""

    way: str  # who writes; "probe…" past everything
    number: int
    begun: float
    ended: float = 0.0
    outcome: str = REFUSED
    node: str = ""
    timeline: int = 0
    met: str = ""


@dataclass
class Read:
    """A read of several values and of all balances, in one snapshot."""

    way: str
    begun: float
    ended: float = 0.0
    done: bool = False
    node: str = ""
    wrong: int = 0  # values that are neither sealed nor what was written
    sealed: int = 0  # values of the client's that did not open
    forbidden: int = 0  # values that opened without a grant
    lent: int = 0  # values that opened by the grant that comes and goes
    missing: int = 0  # writes that were accepted long before
    balance: int = 0
    met: str = ""


@dataclass
class Sessions:
    """Where a connector's sessions were: the servers' addresses, and who answers there."""

    way: str
    begun: float
    servers: list[str] = field(default_factory=list)


@dataclass
class Final:
    """All that is there in the end, as one reader sees it."""

    way: str
    rows: list[tuple[str, int]] = field(default_factory=list)
    unopened: int = 0
    opened: int = 0  # without a grant, or past pgseal
    balances: list[str] = field(
        default_factory=list
    )  # that are not what transfers make of them


Entry = Write | Read | Sessions | Final
KINDS: dict[str, type[Entry]] = {
    it.__name__: it for it in (Write, Read, Sessions, Final)
}


class Journal:
    """Where entries go, from several threads."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", buffering=1)
        self.lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Write one down."""
        line = json.dumps({"kind": type(entry).__name__, **asdict(entry)})
        with self.lock:
            self.file.write(line + "\n")


def read(path: Path) -> Iterator[Entry]:
    """Return all that was written down."""
    with path.open() as lines:
        for line in lines:
            values = json.loads(line)
            yield KINDS[values.pop("kind")](**values)
