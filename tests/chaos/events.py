"""What was done to the stand, and when it was whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

SERVER_IS_LOST = ("kill server", "stop server", "kill host", "cut host")


@dataclass
class Fault:
    """One disturbance: begun to be made, done, begun to be healed, healed."""

    kind: str
    target: str
    role: str  # what the target was
    begun: float
    done: float = math.inf
    healing: float = math.inf
    healed: float = math.inf


@dataclass
class Burst:
    """What fell together, until all was whole again."""

    begun: float
    whole: float = math.inf
    faults: list[Fault] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called: by its fault, and whether that met the leader, if it was one alone."""
        if len(self.faults) != 1:
            return "several at once" if self.faults else "nothing"
        fault = self.faults[0]
        if "leader" in fault.role:
            return f"{fault.kind}, leader"
        if "standby" in fault.role or "other" in fault.role:
            return f"{fault.kind}, replica"
        return fault.kind


class Events:
    """All of them."""

    def __init__(self, path: Path) -> None:
        self.bursts: list[Burst] = []
        for line in path.read_text().splitlines():
            at, what, kind, target, role = line.split("\t")
            self.take(
                float(at), what, Fault(kind.replace("_", " "), target, role, float(at))
            )

    def take(self, at: float, what: str, fault: Fault) -> None:
        """Add one line."""
        if what == "burst":
            self.bursts.append(Burst(at))
            return
        burst = self.bursts[-1]
        kind = fault.kind.removeprefix("heal ")
        if what == "whole":
            burst.whole = at
        elif fault.kind == kind and what == "begin":
            burst.faults.append(fault)
        else:
            known = next(
                it
                for it in burst.faults
                if (it.kind, it.target) == (kind, fault.target)
            )
            if fault.kind == kind:
                known.done = at
            elif what == "begin":
                known.healing = at
            else:
                known.healed = at

    @property
    def faults(self) -> list[Fault]:
        """All disturbances."""
        return [fault for burst in self.bursts for fault in burst.faults]

    def of(self, kind: str) -> list[Fault]:
        """All of one kind."""
        return [it for it in self.faults if it.kind == kind]

    def is_whole(self, begun: float, ended: float) -> bool:
        """Say whether nothing was disturbed in that time."""
        return not any(it.begun <= ended and begun <= it.whole for it in self.bursts)

    def is_alone(self, fault: Fault) -> bool:
        """Say whether its burst has no other."""
        return any(it.faults == [fault] for it in self.bursts)

    def lost_servers(self, variant: str) -> list[Fault]:
        """Return when a server was lost to connectors."""
        kinds = (
            SERVER_IS_LOST
            if variant == "without-haproxy"
            else ("kill server", "kill host")
        )
        found = [it for it in self.faults if it.kind in kinds]
        if variant == "without-haproxy":
            found += [
                it
                for it in self.of("cut pair")
                if it.target.endswith("+python-example")
            ]
        return found
