"""The connector's local HTTP API, as far as a writer needs it: public keys.

What is fetched is checked by `pgseal.recipient`. The API speaks plain HTTP and is for
programs of the same host, so an address beyond loopback is refused: whoever stands
between could hand out a key of his own. A unix socket is as good.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
from urllib.parse import unquote, urlsplit

from pgseal.errors import (
    BadAnswer,
    ConnectorRefused,
    ConnectorUnreachable,
    InvalidRecipient,
)
from pgseal.recipient import Kind, Recipient, check_owner_id

DEFAULT_URL = "http://127.0.0.1:9191"
DEFAULT_PORT = 9191
DEFAULT_TIMEOUT = 5.0

MAX_ANSWER = 64 * 1024
"""Most bytes of an answer that are read; a recipient has some 200."""

MAX_REASON = 300
"""Most characters of the API's own error line that are passed on."""


class Connector:
    """The pgseal-connector beside this application, by its API's address.

    The address is `http://` on loopback, or `unix:` and the path of a socket, such as
    `unix:/run/pgseal/api.sock`.

    `timeout` is in seconds, for connecting and for each wait for an answer. Questions
    raise `ConnectorUnreachable`, `ConnectorRefused` or `BadAnswer`. No environment
    variable for proxies is looked at and no redirect is followed.
    """

    def __init__(
        self, url: str = DEFAULT_URL, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._address = _socket_path(url) or _address(url)

    def client(self) -> Recipient:
        """Return the client that this connector stands for."""
        return self._recipient("GET", "/v1/client", Kind.CLIENT)

    def new_zone(self) -> Recipient:
        """Create a zone and return it.

        Needs `local_api.zones` at the connector and a client that may create zones;
        else the answer is `ConnectorRefused`.
        """
        return self._recipient("POST", "/v1/zones", Kind.ZONE)

    def zone(self, zone_id: str) -> Recipient:
        """Return the zone `zone_id`; `ConnectorRefused` (404) if there is none."""
        check_owner_id(Kind.ZONE, zone_id)
        recipient = self._recipient("GET", f"/v1/zones/{zone_id}", Kind.ZONE)
        if recipient.owner != zone_id:
            raise BadAnswer(
                f"{self._url} answered with zone {recipient.owner} for {zone_id}"
            )
        return recipient

    def _recipient(self, method: str, path: str, kind: Kind) -> Recipient:
        status, body = self._ask(method, path)
        if not 200 <= status < 300:
            reason = _reason(status, body)
            raise ConnectorRefused(
                f"{self._url} refused {method} {path} ({status}): {reason}",
                status,
                reason,
            )
        try:
            recipient = Recipient.from_json(body)
        except InvalidRecipient as error:
            raise BadAnswer(
                f"{self._url} gave no usable key for {method} {path}: {error}"
            ) from error
        if recipient.kind is not kind:
            raise BadAnswer(
                f"{self._url} answered {method} {path} with a {recipient.kind.value}"
            )
        return recipient

    def _connection(self) -> http.client.HTTPConnection:
        if isinstance(self._address, str):
            return _SocketConnection(self._address, self._timeout)
        return http.client.HTTPConnection(*self._address, timeout=self._timeout)

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = response.read(MAX_ANSWER + 1)
        except socket.timeout as error:
            raise ConnectorUnreachable(
                f"no answer from {self._url} within {self._timeout:g} s"
            ) from error
        except OSError as error:
            raise ConnectorUnreachable(
                f"no connector answers at {self._url}: {error.strerror or error}"
            ) from error
        except http.client.HTTPException as error:
            raise BadAnswer(
                f"{self._url} does not speak HTTP ({type(error).__name__})"
            ) from error
        finally:
            connection.close()
        if len(body) > MAX_ANSWER:
            raise BadAnswer(f"{self._url} answered with more than {MAX_ANSWER} bytes")
        return response.status, body


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; the connector looks at who connects to it."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _socket_path(url: str) -> str | None:
    """Take the socket's path out of `unix:PATH`; `None` if `url` is another."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return None
    path = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not path.startswith("/"):
        raise ValueError(f"{url!r} is not an address like unix:/run/pgseal/api.sock")
    return path


def _address(url: str) -> tuple[str, int]:
    """Take the loopback host and port out of `url`; `ValueError` for any other."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not an address like {DEFAULT_URL}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r} has more than host and port, like {DEFAULT_URL}")
    if not _is_loopback(parts.hostname):
        raise ValueError(
            f"{url!r} is not on loopback: the API is for the connector's own host"
        )
    return parts.hostname, DEFAULT_PORT if parts.port is None else parts.port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(status: int, body: bytes) -> str:
    """Return the API's own line, made fit for one line, or the status' name."""
    try:
        line = json.loads(body)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        line = None
    if not isinstance(line, str):
        return http.client.responses.get(status, "no reason given")
    return "".join(c if c.isprintable() else " " for c in line)[:MAX_REASON]
