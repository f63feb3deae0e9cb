"""Which addresses may be asked, and why one did not answer."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3

from stages.shared.errors import UserError

SECONDS_OF_SILENCE = 30.0  # how long a server may take to send the next bytes
SLOWEST = 1000  # bytes a second, on average over
SECONDS_OF_PATIENCE = 60.0


class TooSlowError(Exception):
    """A server sends fewer bytes than are worth waiting for."""

    def __init__(self) -> None:
        super().__init__(
            f"the server has sent fewer than {SLOWEST:,} bytes a second for {SECONDS_OF_PATIENCE:g} seconds; "
            "try again later"
        )


class Pace:
    """Watches how fast bytes come in: a server that sends one now and then is never silent, and never done."""

    def __init__(self) -> None:
        self._since, self._received = time.monotonic(), 0

    def add(self, received: int) -> None:
        """Count bytes; raises TooSlowError."""
        self._received += received
        seconds = time.monotonic() - self._since
        if seconds < SECONDS_OF_PATIENCE:
            return
        if self._received < SLOWEST * seconds:
            raise TooSlowError
        self._since, self._received = time.monotonic(), 0


class Paced(io.RawIOBase):
    """What a connection sends, for libraries that read it themselves; raises TooSlowError."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self._pace = stream, Pace()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what has come in, at most; wait if that is nothing."""
        received = self._stream.readinto1(buffer)
        self._pace.add(received)
        return received

    def close(self) -> None:
        """Close the connection, too."""
        self._stream.close()
        super().close()


def is_address(source: str) -> bool:
    """Tell an address from a folder."""
    return "://" in source


def split_address(address: str, key: str) -> SplitResult:
    """Take an address apart.

    Parameters
    ----------
    address : str
        As written in params.yaml.
    key : str
        Where in params.yaml it stands.

    Raises
    ------
    UserError
        It begins with something else than http:// or https://, or names no host.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname if parts.port != 0 else None
    except ValueError as error:
        raise UserError(f"{key} '{address}' is no valid address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(f"{key} '{address}' cannot be fetched; an address begins with http:// or https:// and a host")
    return parts


def why(error: BaseException) -> str:
    """Say in plain words why a request failed, whichever library sent it."""
    causes = list(_causes(error))[::-1]
    for cause in causes:  # the innermost first: urllib3 counts a refused connection among the timeouts
        if isinstance(cause, TooSlowError):
            return str(cause)
        # The one is how requests says it, the other how urllib does.
        if isinstance(cause, requests.exceptions.InvalidSchema) or "unknown url type" in str(cause):
            return "the server points to an address that does not begin with http:// or https://"
        if isinstance(cause, socket.gaierror):
            return "no such host is known; check the spelling and the network"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused; check host and port"
        if isinstance(cause, ssl.SSLError):
            return f"the server's certificate or encryption is not accepted ({cause.reason or cause})"
        if isinstance(cause, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
            return f"the server kept silent for {SECONDS_OF_SILENCE:g} seconds; try again later"
        if isinstance(cause, ConnectionError | http.client.HTTPException | urllib3.exceptions.ProtocolError):
            return "the connection broke off; try again"
    return " ".join(str(causes[0]).split()) or type(causes[0]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib wrap what happened in arguments, `reason` and `__cause__`, several layers deep.
    found: BaseException | None = error
    seen: list[BaseException] = []
    while found is not None and found not in seen:
        seen.append(found)
        yield found
        inner = [getattr(found, "reason", None), *found.args, found.__cause__]
        found = next((item for item in inner if isinstance(item, BaseException)), None)
