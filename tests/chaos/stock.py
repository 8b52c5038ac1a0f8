"""What pgseal's programs held before and after, while they had no sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# What a program may hold more than before: connections to its peers, its store, and what waits for a session.
DESCRIPTORS = 16
MEMORY = 32 * 1024  # KiB; the allocator keeps some of what it had


@dataclass
class Stock:
    """What one program held."""

    process: int
    born: int
    descriptors: int
    memory: int
    threads: int
    is_idle: bool


def read(path: Path) -> dict[str, Stock]:
    """Return that of all programs."""
    stocks = {}
    for line in path.read_text().splitlines():
        name, sessions, *numbers = line.split("\t")
        process, born, descriptors, memory, threads = map(int, numbers)
        stocks[name] = Stock(
            process, born, descriptors, memory, threads, sessions == "0"
        )
    return stocks


def left_behind(before: Path, after: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Return figures, and what is too much."""
    found = []
    figures = []
    then = read(before)
    for name, now in read(after).items():
        was = then[name]
        lived = (
            "lived through"
            if (now.process, now.born) == (was.process, was.born)
            else "started anew"
        )
        held = (
            f"{was.descriptors} > {now.descriptors},"
            f" {was.memory // 1024} > {now.memory // 1024} MiB,"
            f" {was.threads} > {now.threads}"
        )
        figures.append((f"{name}, {lived}: descriptors, memory, threads", held))
        if not now.is_idle:
            found.append(f"{name} has sessions")
        if now.descriptors > was.descriptors + DESCRIPTORS:
            found.append(
                f"{name} has {now.descriptors} descriptors, and had {was.descriptors}"
            )
        if now.memory > was.memory + MEMORY:
            found.append(f"{name} holds {now.memory} KiB, and held {was.memory}")
    return figures, found
