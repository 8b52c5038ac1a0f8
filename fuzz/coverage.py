"""Which lines of its parsers each target comes by, as a table: what `tests/fuzz.sh --coverage` prints, and
with `--write` puts into docs/fuzzing-coverage.md.

Usage: coverage.py WRITE TARGET=REPORT..., from the root of the repository. A REPORT is of `llvm-cov export`.
Ends with 1 where a target comes by less of a file than it should.
"""

import json
import sys
import tomllib
from pathlib import Path

ENOUGH = 90.0
"""What a target should come by of each of its files, in percent of its lines."""

FEW = 5
"""So many lines may be missed without a word why."""

DOCUMENT = Path("docs/fuzzing-coverage.md")
REASONS = Path("fuzz/missed.toml")

ABOUT = """\
# What the fuzz targets come by

Of each file that a [fuzz target](fuzzing.md) is about: its lines, and how many of them the inputs in `fuzz/corpus`
come by. Made by

```sh
bash tests/fuzz.sh --coverage --write
```

which ends with 1 where a target comes by less than 90 % of a file. Why more than a few lines are missed is said
in [`fuzz/missed.toml`](../fuzz/missed.toml).

| target | file | lines | missed | covered | what is missed |
|---|---|---:|---:|---:|---|
"""


def files(report: Path, root: Path) -> list[tuple[str, int, int, float]]:
    """Of each file its path, its lines, those that were missed, and the others in percent."""
    found = []
    for file in json.loads(report.read_text())["data"][0]["files"]:
        path = str(Path(file["filename"]).relative_to(root))
        lines = file["summary"]["lines"]
        found.append((path, lines["count"], lines["count"] - lines["covered"], lines["percent"]))
    return sorted(found)


def main() -> int:
    is_written, *reports = sys.argv[1:]
    reasons = tomllib.loads(REASONS.read_text())
    rows, short, unsaid = [], [], []
    print(f"\n  {'target':<16} {'lines':>6} {'missed':>6} {'covered':>8}   file")
    for argument in reports:
        target, _, report = argument.partition("=")
        for path, lines, missed, percent in files(Path(report), Path.cwd()):
            print(f"  {target:<16} {lines:>6} {missed:>6} {percent:>7.1f}%   {path}")
            why = reasons.get(path, "") if missed > FEW else ""
            rows.append(f"| {target} | `{path}` | {lines} | {missed} | {percent:.1f} % | {why} |\n")
            if percent < ENOUGH:
                short.append(f"{target} comes by {percent:.1f} % of {path}")
            if missed > FEW and not why:
                unsaid.append(f"{path}: nothing in {REASONS} says why {missed} lines are missed")
    print()
    for line in unsaid + short:
        print(f"  {line}")
    if is_written:
        DOCUMENT.write_text(ABOUT + "".join(rows))
    return 1 if short else 0


sys.exit(main())
