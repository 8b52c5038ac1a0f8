"""A server that answers as it is told, for the ways in which an API can fail.

The connector itself is tested with the SDK end to end, elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from types import TracebackType

from vectors import WORD, Key


class ApiServer:
    """Sends `answer` to each connection and keeps what was asked in `requests`.

    It listens on loopback, or on the unix socket `path`.
    """

    def __init__(self, path: str | None = None) -> None:
        self.answer = b""
        self.holds = False
        """Whether it answers nothing and keeps the connection instead."""
        self.requests: list[str] = []
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(path)
            self._listener.listen()
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        port = self._listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, status: int, body: str | bytes) -> None:
        data = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(data)}\r\n\r\n"
        self.answer = head.encode() + data

    def __enter__(self) -> ApiServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self._held:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            request = connection.recv(65536).decode()
            self.requests.append(request.split(" HTTP/")[0])
            if self.holds:
                self._held.append(connection)
                continue
            # Who asked may hang up before the whole answer is out.
            with connection, contextlib.suppress(ConnectionError):
                connection.sendall(self.answer)


def shape_of(key: Key) -> dict[str, object]:
    """Give the control API's words for a key."""
    return {
        "kind": WORD[key["kind"]],
        "id": key["owner"],
        "public_key": base64.b64encode(bytes.fromhex(key["public_key"])).decode(),
        "key_id": key["key_id"],
        "version": 1,
    }
