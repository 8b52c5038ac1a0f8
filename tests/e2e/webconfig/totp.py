"""Codes after RFC 6238, made without the program under test; and an enrolment on a terminal.

totp.py code URI [STEPS]              the code of this otpauth URI, so many periods from now
totp.py enrol STEPS PROGRAM [ARGS]    runs it on a terminal and types the code that it asks for
"""

import base64
import hashlib
import hmac
import os
import pty
import re
import sys
import time
import urllib.parse


def code(uri: str, steps: int) -> str:
    parts = urllib.parse.urlsplit(uri)
    query = urllib.parse.parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp"), uri
    secret = base64.b32decode(query["secret"][0])
    step = int(time.time()) // 30 + steps
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def enrol(steps: int, command: list[str]) -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    said = b""
    typed = False
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed.
            break
        if not read:
            break
        said += read
        if not typed and said.endswith(b"The code that it shows: "):
            uri = re.search(rb"otpauth://\S+", said)
            assert uri, said
            os.write(terminal, code(uri[0].decode(), steps).encode() + b"\n")
            typed = True
    sys.stdout.write(said.decode())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["code", uri]:
            print(code(uri, 0))
        case ["code", uri, steps]:
            print(code(uri, int(steps)))
        case ["enrol", steps, *command]:
            sys.exit(enrol(int(steps), command))
        case _:
            sys.exit(__doc__)
