#!/usr/bin/env python3
"""Judge what applications met while all was disturbed.

Usage: judge.py VARIANT DIRECTORY

Reads the directory's journal.jsonl, events.tsv and stock-*.tsv. Writes verdicts.tsv, a line for each figure and each
proof, with what had to come and what came; and chaos.svg.
"""

from __future__ import annotations

import bisect
import itertools
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from events import Events
from journal import ACCEPTED, REFUSED, UNCLEAR, Final, Read, Sessions, Write, read
from plot import draw
from stock import left_behind

# In seconds. Promised is that a server that does not answer is down after 1.5 (docs/balancing.md); a busy machine
# is given more. Behind HAProxy it depends on its checks, which take longer than any fault here lasts.
STAYS = 5.0
# Promised is that a revoked grant ends within a second; a server that cannot hear of it goes on for `max_stale`, which
# is 10 seconds here.
HEARD, STALE = 3.0, 13.0
STOCKS = ("before", "after")


@dataclass
class Verdicts:
    """Lines for the table."""

    lines: list[str] = field(default_factory=list)

    def note(self, name: str, text: object) -> None:
        """Add a figure."""
        self.lines.append(f"note\t{name}\t{text}")

    def proof(self, name: str, found: list[str]) -> None:
        """Add a proof, which holds if nothing was found."""
        got = f"{len(found)}: {found[0]}" if found else "none"
        self.lines.append(f"proof\t{name}\tnone\t{' '.join(got.split())}")


class Journal:
    """All that was written down, by what it is."""

    def __init__(self, path: Path) -> None:
        self.writes: list[Write] = []
        self.probes: list[Write] = []
        self.reads: list[Read] = []
        self.sessions: list[Sessions] = []
        self.finals: list[Final] = []
        for entry in read(path):
            match entry:
                case Write(way=way) if way.startswith("probe"):
                    self.probes.append(entry)
                case Write():
                    self.writes.append(entry)
                case Read():
                    self.reads.append(entry)
                case Sessions():
                    self.sessions.append(entry)
                case Final():
                    self.finals.append(entry)
        self.accepted = sorted(it.ended for it in self.writes if it.outcome == ACCEPTED)


def main(variant: str, work: Path) -> None:
    """Judge all of it."""
    journal = Journal(work / "journal.jsonl")
    events = Events(work / "events.tsv")
    verdicts = Verdicts()
    count(journal, events, verdicts)
    verdicts.proof("no accepted write is lost, no refused one is there", lost(journal))
    verdicts.proof("one primary at a time takes writes", primaries(journal))
    verdicts.proof("balances hold in every snapshot", balances(journal))
    verdicts.proof(
        "what was sealed opens to what was written", unopened(journal, events)
    )
    verdicts.proof("databases hold it sealed", in_clear(journal))
    verdicts.proof("nothing opens without a grant", opened(journal, events))
    stays = stayed(journal, events, variant)
    verdicts.note(
        "servers lost to connectors, longest that a session stayed there",
        f"{len(events.lost_servers(variant))}, {max(stays, default=(0.0, ''))[0]:.1f} s",
    )
    verdicts.proof(
        "no session stays on a server that is lost",
        [text for since, text in stays if since > STAYS],
    )
    log = work / "log" / "load.log"
    verdicts.proof("every application's statement ends", stuck(log))
    before, after = (work / f"stock-{when}.tsv" for when in STOCKS)
    held, leaks = left_behind(before, after)
    for name, text in held:
        verdicts.note(name, text)
    verdicts.proof("nothing is left behind by sessions that have ended", leaks)
    (work / "verdicts.tsv").write_text("\n".join(verdicts.lines) + "\n")
    (work / "chaos.svg").write_text(draw(journal.accepted, journal.reads, events))


def count(journal: Journal, events: Events, verdicts: Verdicts) -> None:
    """Tell what was done, and the longest time without a write or read for each kind of disturbance."""
    outcomes = Counter(it.outcome for it in journal.writes)
    verdicts.note("writes accepted", outcomes[ACCEPTED])
    verdicts.note(
        "writes refused, unclear", f"{outcomes[REFUSED]}, {outcomes[UNCLEAR]}"
    )
    done = sum(it.done for it in journal.reads)
    verdicts.note("reads, failed", f"{done}, {len(journal.reads) - done}")
    # Where the connector itself is away nobody can answer by an error.
    mets = [it.met for it in journal.writes] + [it.met for it in journal.reads]
    answered = sum(it.startswith("connection failed") and "FATAL" in it for it in mets)
    verdicts.note("connects that the connector answered by an error", answered)
    verdicts.note("bursts, disturbances", f"{len(events.bursts)}, {len(events.faults)}")
    reads = {
        "RW": sorted(it.ended for it in journal.reads if it.done and "rw" in it.way),
        "RO": sorted(it.ended for it in journal.reads if it.done and "ro" in it.way),
    }
    longest: dict[str, list[float]] = {}
    for burst in events.bursts:
        times = [journal.accepted, *reads.values()]
        gaps = [longest_gap(it, burst.begun, burst.whole) for it in times]
        known = longest.setdefault(burst.name, [0.0] * (len(gaps) + 1))
        longest[burst.name] = [known[0] + 1, *map(max, known[1:], gaps)]
    for name, (number, write, rw, ro) in sorted(longest.items()):
        verdicts.note(
            f"{name}: how often, longest time without a write, RW and RO read",
            f"{number:.0f}, {write:.1f} s, {rw:.1f} s, {ro:.1f} s",
        )


def longest_gap(times: list[float], begun: float, ended: float) -> float:
    """Return the longest time without one that touches this time."""
    first = max(0, bisect.bisect_left(times, begun) - 1)
    last = bisect.bisect_right(times, ended) + 1
    return max(
        (after - before for before, after in itertools.pairwise(times[first:last])),
        default=0.0,
    )


def lost(journal: Journal) -> list[str]:
    """Return what was accepted and is not there, or refused and is."""
    found = []
    finals = [set(map(tuple, it.rows)) for it in journal.finals]
    for write in journal.writes:
        key = (write.way, write.number)
        there = [key in rows for rows in finals]
        if write.outcome == ACCEPTED and not all(there):
            found.append(
                f"{write.way} {write.number}, accepted by {write.node} on timeline {write.timeline}"
            )
        if write.outcome == REFUSED and any(there):
            found.append(f"{write.way} {write.number}, refused: {write.met}")
    found += [
        f"{it.way} did not find {it.missing} of its writes on {it.node}"
        for it in journal.reads
        if it.missing
    ]
    if not finals:
        found.append("nothing was read in the end")
    if len({frozenset(it) for it in finals}) > 1:
        found.append("not every database has the same")
    return found


def primaries(journal: Journal) -> list[str]:
    """Return who took a write that began when another had taken one on a newer timeline; and timelines of two."""
    found = []
    taken = sorted(
        (it for it in [*journal.writes, *journal.probes] if it.outcome == ACCEPTED),
        key=lambda it: it.ended,
    )
    of: dict[int, str] = {}
    for write in taken:
        if of.setdefault(write.timeline, write.node) != write.node:
            found.append(
                f"timeline {write.timeline} is that of {of[write.timeline]} and {write.node}"
            )
    ended = [it.ended for it in taken]
    newest = list(itertools.accumulate((it.timeline for it in taken), max))
    for write in taken:
        before = bisect.bisect_left(ended, write.begun)
        if before and newest[before - 1] > write.timeline:
            found.append(
                f"{write.node} took one on timeline {write.timeline} after"
                f" {of[newest[before - 1]]} had on {newest[before - 1]}"
            )
    return found


def balances(journal: Journal) -> list[str]:
    """Return snapshots in which money was missing, or there was too much."""
    found = [
        f"{it.way} on {it.node}: off by {it.balance}"
        for it in journal.reads
        if it.done and it.balance
    ]
    found += [
        f"{it.way}: accounts {', '.join(it.balances)}"
        for it in journal.finals
        if it.balances
    ]
    return found


def unopened(journal: Journal, events: Events) -> list[str]:
    """Return values that were wrong at any time, and sealed while all was whole, or in the end."""
    found = [f"{it.way}: {it.wrong} wrong values" for it in journal.reads if it.wrong]
    found += [
        f"{it.way} on {it.node}: {it.sealed} sealed values while all was whole"
        for it in journal.reads
        if it.sealed and events.is_whole(it.begun, it.ended)
    ]
    through = [it for it in journal.finals if not past(it)]
    found += [
        f"{it.way}, in the end: {it.unopened} sealed values"
        for it in through
        if it.unopened
    ]
    return found


def past(final: Final) -> bool:
    """Say whether it was read past pgseal."""
    return final.way.startswith("pg-")


def in_clear(journal: Journal) -> list[str]:
    """Return where values are not sealed."""
    return [
        f"{it.way} holds {it.opened} values in clear"
        for it in journal.finals
        if past(it) and it.opened
    ]


def opened(journal: Journal, events: Events) -> list[str]:
    """Return what opened without a grant: at any time, or too long after it was revoked."""
    found = [
        f"{it.way}: {it.forbidden} values of a stranger's zone"
        for it in journal.reads
        if it.forbidden
    ]
    found += [
        f"{it.way}, in the end: {it.opened} values of a stranger's zone"
        for it in journal.finals
        if it.opened and not past(it)
    ]
    for revoked in events.of("grant"):
        bound = HEARD if events.is_alone(revoked) else STALE
        found += [
            f"{it.way} on {it.node}: {it.lent} values {it.begun - revoked.done:.1f} s after it was revoked"
            for it in journal.reads
            if it.lent
            and revoked.done + bound < it.begun
            and it.ended < revoked.healing
        ]
    return found


def stayed(journal: Journal, events: Events, variant: str) -> list[tuple[float, str]]:
    """Return sessions on a server that is killed, hung or cut off, and how long."""
    found = []
    for fault in events.lost_servers(variant):
        host = fault.target.partition("+")[0]
        server = re.compile(rf"\b(?:{host}|{host.replace('pg-', 'pgseal-')})\b")
        for entry in journal.sessions:
            if fault.done < entry.begun < fault.healing:
                since = entry.begun - fault.done
                found += [
                    (since, f"{entry.way}: {it}, {since:.1f} s after {fault.kind}")
                    for it in entry.servers
                    if server.search(it)
                ]
    return found


def stuck(log: Path) -> list[str]:
    """Return who had not ended half a minute after all was whole."""
    return [
        it
        for line in log.read_text().splitlines()
        if line.startswith("stuck:")
        for it in line.split()[1:]
    ]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
