"""The Rust implementation as a program: JSON lines in, JSON lines out.

It is the example `envelope` of `crates/envelope`, whose header says what it takes.
"""

from __future__ import annotations

import json
import os
import subprocess
from types import TracebackType

from vectors import REPOSITORY


def path() -> str:
    """Return the program that PGSEAL_ENVELOPE_TOOL names, or build it."""
    given = os.environ.get("PGSEAL_ENVELOPE_TOOL")
    if given:
        return given
    command = ["cargo", "build", "--quiet", "--package", "pgseal-envelope"]
    command += ["--example", "envelope", "--message-format", "json"]
    built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    messages = map(json.loads, built.stdout.splitlines())
    programs = [str(m["executable"]) for m in messages if m.get("executable")]
    (program,) = programs
    return program


class EnvelopeTool:
    """One running tool. `ask` sends one request and returns its answer."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, op: str, **fields: object) -> dict[str, object]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    def seal(self, kind: str, owner: str, public_key: str, plaintext: bytes) -> bytes:
        answer = self.ask(
            "seal",
            kind=kind,
            owner=owner,
            public_key=public_key,
            plaintext=plaintext.hex(),
        )
        return bytes.fromhex(str(answer["envelope"]))

    def seal_batch(
        self, kind: str, owner: str, public_key: str, plaintexts: list[bytes]
    ) -> list[bytes]:
        answer = self.ask(
            "seal_batch",
            kind=kind,
            owner=owner,
            public_key=public_key,
            plaintexts=[plaintext.hex() for plaintext in plaintexts],
        )
        envelopes = answer["envelopes"]
        assert isinstance(envelopes, list)
        return [bytes.fromhex(envelope) for envelope in envelopes]

    def open(self, kind: str, owner: str, private_key: str, envelope: bytes) -> bytes:
        answer = self.ask(
            "open",
            kind=kind,
            owner=owner,
            private_key=private_key,
            envelope=envelope.hex(),
        )
        return bytes.fromhex(str(answer["plaintext"]))

    def __enter__(self) -> EnvelopeTool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closes its input, which ends it.
        self._process.communicate(timeout=10)
