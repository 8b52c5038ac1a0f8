#!/usr/bin/env python3
"""Draw so many bursts of disturbances, the same for the same seed.

Usage: schedule.py SEED VARIANT BURSTS

Prints a line for each: number of the burst, seconds from its beginning, seconds that it lasts, what is done, and to
whom. A database's host is named by what it is when its burst begins: leader, standby (the one that the leader waits
for) or other.

The rule of what may fall together: of each of the three groups below at most one is disturbed at a time. So two of
three nodes are whole at any time, and two of three members of etcd. A switchover needs both nodes, and keeps its burst to
itself and the applications' side.
"""

from __future__ import annotations

import random
import sys

NODES = ["leader", "standby", "other"]
ETCD = ["etcd-1", "etcd-2", "etcd-3"]
CONNECTORS = ["pgseal-connector-rw", "pgseal-connector-ro"]

ON_NODES = [
    "kill postgres",
    "kill patroni",
    "kill server",
    "kill host",
    "stop postgres",
    "stop patroni",
    "stop server",
    "restart postgres",
    "restart patroni",
    "restart server",
    "cut host",
    "cut pair",
    "slow link",
]
ON_ETCD = ["kill etcd", "stop etcd", "restart etcd", "cut etcd"]
ON_PROGRAMS = ["kill connector", "stop connector", "restart connector"]
ON_HAPROXY = ["kill haproxy", "stop haproxy", "restart haproxy"]
BY_OPERATORS = ["switchover", "zone mode", "grant"]

SHORTEST, LONGEST = 2.0, 12.0
# A grant is away long enough for those who could not hear of it to notice that they have heard nothing.
GRANT = 18.0
LATEST = 4.0  # begins what falls together with another


class Deck:
    """All of some kinds, in an order that is drawn anew each time that they have been gone through."""

    def __init__(self, drawn: random.Random, kinds: list[str]) -> None:
        self.drawn = drawn
        self.kinds = kinds
        self.left: list[str] = []

    def next(self) -> str:
        """Return the next."""
        if not self.left:
            self.left = self.drawn.sample(self.kinds, len(self.kinds))
        return self.left.pop()


class Schedule:
    """What is drawn next."""

    def __init__(self, seed: int, variant: str) -> None:
        drawn = self.drawn = random.Random(seed)
        beside = ON_PROGRAMS + (ON_HAPROXY if variant == "with-haproxy" else [])
        self.groups = {"node": ON_NODES, "etcd": ON_ETCD, "beside": beside}
        self.all = Deck(drawn, [*ON_NODES, *ON_ETCD, *beside, *BY_OPERATORS])
        self.decks = {name: Deck(drawn, it) for name, it in self.groups.items()}
        self.nodes = Deck(drawn, NODES)
        self.etcd = Deck(drawn, ETCD)
        self.connectors = Deck(drawn, CONNECTORS)

    def burst(self) -> list[tuple[float, float, str, str]]:
        """Return what falls together: of one kind in turn, and sometimes of other groups."""
        first = self.all.next()
        kinds = [first]
        for name, group in self.groups.items():
            is_open = first not in group and (first != "switchover" or name == "beside")
            if self.drawn.random() < 0.25 and is_open:
                kinds.append(self.decks[name].next())
        return [self.place(kind, kind is not first) for kind in kinds]

    def place(self, kind: str, is_late: bool) -> tuple[float, float, str, str]:
        """Draw when, how long, and to whom."""
        begins = self.drawn.uniform(0.0, LATEST) if is_late else 0.0
        lasts = GRANT if kind == "grant" else self.drawn.uniform(SHORTEST, LONGEST)
        return begins, lasts, kind, self.target(kind)

    def target(self, kind: str) -> str:
        """Draw to whom."""
        if kind in ON_ETCD:
            return self.etcd.next()
        if kind in ON_PROGRAMS:
            return self.connectors.next()
        if kind in ON_HAPROXY:
            return "haproxy"
        if kind in BY_OPERATORS:
            return "-"
        node = self.nodes.next()
        if kind != "cut pair":
            return node
        peers = [*(it for it in NODES if it != node), *ETCD, "python-example"]
        return f"{node}+{self.drawn.choice(peers)}"


def main(seed: int, variant: str, bursts: int) -> None:
    """Print them."""
    schedule = Schedule(seed, variant)
    for number in range(1, bursts + 1):
        for begins, lasts, kind, target in schedule.burst():
            print(f"{number}\t{begins:.1f}\t{lasts:.1f}\t{kind}\t{target}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
