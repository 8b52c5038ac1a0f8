"""The run as an SVG: disturbances as bars, and writes and reads a second below. Follows the reader's light or dark."""

from __future__ import annotations

import itertools
from html import escape

from events import Burst, Events
from journal import Read

WIDTH, LEFT, RIGHT = 1200.0, 150.0, 1180.0
ROW, HEIGHT = 16.0, 150.0  # of a kind of disturbance, of a curve
STYLE = """
.paper{fill:#ffffff}text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:15px}
.small{font-size:11px;fill:#59636e}.axis{stroke:#8c959f;fill:none}.burst{fill:#8c959f;opacity:.2}
.fault{fill:#cf222e}.outage{fill:#9a6700;opacity:.35}.curve{stroke:#0969da;fill:none;stroke-width:1.2}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9198a1}
.fault{fill:#ff7b72}.outage{fill:#e3b341}.curve{stroke:#58a6ff}}
"""
OUTAGE = 1.0  # seconds without one


def draw(writes: list[float], reads: list[Read], events: Events) -> str:
    """Return the whole picture."""
    done = {
        "writes accepted": writes,
        "reads through RW": sorted(
            it.ended for it in reads if it.done and "rw" in it.way
        ),
        "reads through RO": sorted(
            it.ended for it in reads if it.done and "ro" in it.way
        ),
    }
    times = [time for curve in done.values() for time in curve]
    picture = Picture(min(times, default=0.0), max(times, default=1.0))
    kinds = sorted({it.kind for it in events.faults})
    top = 44.0
    picture.bursts(events.bursts, top, top + ROW * len(kinds) + 3 * (HEIGHT + 40.0))
    for kind in kinds:
        picture.faults(kind, events, top)
        top += ROW
    for name, curve in done.items():
        top += 40.0
        picture.curve(name, curve, top)
        top += HEIGHT
    return picture.finish(
        f"{len(events.bursts)} bursts, {len(events.faults)} disturbances", top + 30.0
    )


class Picture:
    """Shapes so far, and what the horizontal axis means."""

    def __init__(self, begun: float, ended: float) -> None:
        self.begun = begun
        self.lasted = max(1.0, ended - begun)
        self.shapes: list[str] = []

    def x(self, at: float) -> float:
        """Return where a time is."""
        share = min(1.0, max(0.0, (at - self.begun) / self.lasted))
        return LEFT + share * (RIGHT - LEFT)

    def text(self, style: str, x: float, y: float, anchor: str, text: str) -> None:
        """Write something."""
        self.shapes.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def bar(
        self,
        style: str,
        begun: float,
        ended: float,
        top: float,
        height: float,
        says: str = "",
    ) -> None:
        """Fill a time."""
        x, width = self.x(begun), max(1.5, self.x(ended) - self.x(begun))
        title = f"<title>{escape(says)}</title>" if says else ""
        self.shapes.append(
            f'<rect class="{style}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}">{title}</rect>'
        )

    def bursts(self, bursts: list[Burst], top: float, bottom: float) -> None:
        """Shade when not all was whole."""
        for burst in bursts:
            self.bar("burst", burst.begun, burst.whole, top, bottom - top)

    def faults(self, kind: str, events: Events, top: float) -> None:
        """Draw a row of disturbances of one kind."""
        self.text("small", LEFT - 8.0, top + ROW - 4.0, "end", kind)
        for fault in events.of(kind):
            ended = min(fault.healed, self.begun + self.lasted)
            self.bar(
                "fault",
                fault.begun,
                ended,
                top + 3.0,
                ROW - 6.0,
                f"{kind} {fault.target}",
            )

    def curve(self, name: str, times: list[float], top: float) -> None:
        """Draw how many a second there were, and shade where there were none for long."""
        bottom = top + HEIGHT
        seconds = int(self.lasted) + 1
        counts = [0] * seconds
        for time in times:
            counts[int(time - self.begun)] += 1
        most = max(*counts, 1)
        for before, after in itertools.pairwise(times):
            if after - before > OUTAGE:
                self.bar(
                    "outage",
                    before,
                    after,
                    top,
                    HEIGHT,
                    f"{after - before:.1f} s without {name}",
                )
        points = "L".join(
            f"{self.x(self.begun + at + 0.5):.1f} {bottom - count / most * HEIGHT:.1f}"
            for at, count in enumerate(counts)
        )
        self.shapes.append(
            f'<path class="axis" d="M{LEFT} {top:.1f}L{LEFT} {bottom:.1f}L{RIGHT} {bottom:.1f}"/>'
        )
        self.shapes.append(f'<path class="curve" d="M{points}"/>')
        self.text("small", LEFT - 8.0, top + 10.0, "end", f"{most} a second")
        self.text(
            "small",
            LEFT,
            top - 6.0,
            "start",
            f"{name}; shaded where there were none for {OUTAGE:g} s",
        )
        step = 60 if seconds > 150 else 10
        for second in range(0, seconds, step * max(1, seconds // (step * 20))):
            self.text(
                "small",
                self.x(self.begun + second),
                bottom + 14.0,
                "middle",
                f"{second} s",
            )

    def finish(self, title: str, height: float) -> str:
        """Return the document."""
        self.text("title", LEFT, 28.0, "start", title)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img">\n'
            f"<title>{escape(title)}</title><style>{STYLE}</style>\n"
            f'<rect class="paper" width="{WIDTH:.0f}" height="{height:.0f}"/>\n'
            + "\n".join(self.shapes)
            + "\n</svg>\n"
        )
