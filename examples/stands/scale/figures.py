#!/usr/bin/env python3
"""Say in figures what workers met, and draw it.

Usage: figures.py tell LOAD       writes LOAD/figures, a name and a figure a line
       figures.py draw LOADS SVG  draws all of them

A load is a directory: `begun` and `half`, when; `cpu`, ticks of the programs before and after; `values`, opened before
and after; what workers told, APPLICATION.json; and pgbench's logs, APPLICATION/worker-….
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

WIDTH, HEIGHT = 900, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 700, 40, 250
COLOURS = ["#2563eb", "#ea580c", "#15803d", "#9333ea"]


class Load:
    """What was met under one load."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.begun = float((place / "begun").read_text())
        self.half = float((place / "half").read_text()) - self.begun
        self.done: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for log in place.glob("app-*/worker-*"):
            worker = f"{log.parent.name}/{'-'.join(log.name.split('-')[:2])}"
            for line in log.read_text().splitlines():
                _, _, took, _, seconds, micros, *_ = line.split()
                if took.isdigit():
                    ended = int(seconds) + int(micros) / 1e6 - self.begun
                    self.done[worker].append((ended, int(took) / 1e3))
        self.all = sorted(itertools.chain.from_iterable(self.done.values()))

    def rate(self, begin: float, end: float) -> float:
        """Return transactions a second in between."""
        return sum(begin <= ended < end for ended, _ in self.all) / (end - begin)

    def tell(self) -> dict[str, str]:
        """Return all figures by their names."""
        took = sorted(latency for _, latency in self.all) or [0.0]
        last = self.all[-1][0] if self.all else self.half * 2
        told = [json.loads(file.read_text()) for file in self.place.glob("*.json")]
        used = self.processor_time()
        values = self.values()
        count = len(self.all)
        met = [one["met"] for one in told if one["met"]]
        return {
            "transactions/s": f"{count / last:,.0f}",
            "latency, ms: mean": f"{sum(took) / len(took):.2f}",
            "latency, ms: 95 %": f"{took[len(took) * 95 // 100]:.2f}",
            "latency, ms: 99 %": f"{took[len(took) * 99 // 100]:.2f}",
            "values opened": f"{values:,}",
            "CPU of servers, µs a value": each(used["servers"], values),
            "CPU of servers, µs a transaction": each(used["servers"], count),
            "CPU of connectors, µs a transaction": each(used["connectors"], count),
            "CPU of PostgreSQL, µs a transaction": each(used["database"], count),
            "before": f"{self.rate(0, self.half):,.0f}",
            "after": f"{self.rate(self.half, last):,.0f}",
            "last": f"{self.rate(2 * self.half - 2, 2 * self.half + 1):.1f}",
            "pause": f"{self.pause():.2f}",
            "met": " ".join(met[-1].split()) if met else "",
            **{
                name: str(sum(one[name] for one in told))
                for name in ("lost", "refused", "wrong")
            },
        }

    def processor_time(self) -> dict[str, float]:
        """Return what programs have used, in seconds."""
        used = {}
        for line in (self.place / "cpu").read_text().splitlines():
            name, before, _, after = line.split()
            used[name] = (int(after) - int(before)) / os.sysconf("SC_CLK_TCK")
        return used

    def values(self) -> int:
        """Return how many values were opened."""
        before, after = (self.place / "values").read_text().split()
        return int(after) - int(before)

    def pause(self) -> float:
        """Return the longest time that a worker had no answer in."""
        pauses = [0.0]
        for transactions in self.done.values():
            times = sorted(ended for ended, _ in transactions)
            pauses += [after - before for before, after in itertools.pairwise(times)]
        return max(pauses)


def each(seconds: float, count: int) -> str:
    """Return microseconds for one of them."""
    return f"{seconds * 1e6 / count:.0f}" if count and seconds >= 0 else "-"


def draw(loads: list[Load]) -> str:
    """Return transactions a second over time, as an SVG."""
    step = 0.5
    lines = []
    for load in loads:
        ends = int(load.all[-1][0] / step)
        times = [n * step for n in range(ends)]
        lines.append([(at + step / 2, load.rate(at, at + step)) for at in times])
    most = max(rate for line in lines for _, rate in line) * 1.05
    longest = max(line[-1][0] for line in lines)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        (
            "<style>text{font:12px system-ui,sans-serif;fill:#1f2328}"
            ".axis{stroke:#8c959f;fill:none}.lossy{stroke-dasharray:5 3}"
            "path{fill:none;stroke-width:2}.paper{fill:#fff}</style>"
        ),
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        (
            f'<text x="{LEFT}" y="20">Transactions a second, by servers; dashed: one is killed'
            " at half time</text>"
        ),
        f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>',
    ]
    for part in range(5):
        value = most * part / 4
        y = BOTTOM - (BOTTOM - TOP) * part / 4
        svg.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{value:,.0f}</text>'
        )
    for at in range(0, int(longest) + 1, 2):
        x = LEFT + (RIGHT - LEFT) * at / longest
        svg.append(
            f'<text x="{x:.0f}" y="{BOTTOM + 16}" text-anchor="middle">{at} s</text>'
        )
    for number, (load, line) in enumerate(zip(loads, lines)):
        points = [
            f"{LEFT + (RIGHT - LEFT) * at / longest:.1f} {BOTTOM - (BOTTOM - TOP) * rate / most:.1f}"
            for at, rate in line
        ]
        colour = COLOURS[number // 2 % len(COLOURS)]
        style = "lossy" if load.place.name.endswith("-lossy") else "calm"
        svg.append(f'<path class="{style}" stroke="{colour}" d="M{"L".join(points)}"/>')
        y = TOP + 12 + 18 * number
        svg.append(
            f'<path class="{style}" stroke="{colour}" d="M{RIGHT + 16} {y - 4}h28"/>'
        )
        name = load.place.name.replace("-calm", "").replace("-lossy", ", one lost")
        svg.append(f'<text x="{RIGHT + 50}" y="{y}">{name.replace("-", " ", 1)}</text>')
    return "\n".join([*svg, "</svg>\n"])


def main(command: str, place: Path, *rest: str) -> None:
    """Do one of the two."""
    if command == "tell" and not rest:
        figures = Load(place).tell()
        lines = [f"{name} {figure}\n" for name, figure in figures.items()]
        (place / "figures").write_text("".join(lines))
    elif command == "draw" and len(rest) == 1:
        Path(rest[0]).write_text(draw([Load(one) for one in sorted(place.iterdir())]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
