"""Downloads over HTTP: valid addresses, a deadline, retries, progress."""

import re
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3

from stages.fetch import connection
from stages.fetch.idx import LARGEST
from stages.shared.errors import UserError, one_line
from stages.shared.process.console import progress, say

DEADLINE = 1800.0  # seconds for a whole data set
TIMEOUT = 30.0  # seconds until the server sends something
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry
LONGEST_WAIT = 60.0  # seconds; a server's Retry-After may be longer
TRANSIENT = (429, 500, 502, 503, 504)  # statuses that a later request may not get
CHUNK = 2**16  # bytes


def split_address(address: str, key: str) -> SplitResult:
    """Parse an address, given under a key of params.yaml.

    Raises
    ------
    UserError
        The address does not begin with http:// or https:// and a host.
    """
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UserError(f"{key} '{address}' is not a valid address; it must begin with http:// or https:// and a host")
    return parts


class _DeadlineExceeded(BaseException):
    """Not an Exception: libraries catch those, and try again."""


@contextmanager
def deadline(source: str) -> Iterator[None]:
    """Limit the time that the block may take to `DEADLINE`.

    A timer signal interrupts every wait, so a server that sends a byte now and then is given up, too.

    Raises
    ------
    UserError
        The time is over.
    """

    def expire(*_: Any) -> None:
        raise _DeadlineExceeded

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE)
    try:
        yield
    except _DeadlineExceeded:
        raise UserError(
            f"cannot fetch {source}: not finished after {DEADLINE:g} s; try again later, or download the files with "
            "another program and set fetch.source to their folder"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def download(
    address: str, file: BinaryIO, key: str, *, expected: int = HTTPStatus.NOT_FOUND, encoding: str = "identity"
) -> requests.Response:
    """Download a file, as it is sent by the server: a compressed file stays compressed.

    Parameters
    ----------
    address : str
        Address of the file.
    file : binary file
        Receives the content, and is rewound.
    key : str
        Key of params.yaml that decides the address, for messages.
    expected : int
        HTTP status that is no fault; `file` then receives nothing.
    encoding : str
        Accepted encodings. With "identity", Content-Length is the size of the file itself.

    Returns
    -------
    requests.Response
        Closed; its status is 200 or `expected`.

    Raises
    ------
    UserError
        No connection or a transient error (429, 5xx, a truncated file), after all retries; at once for any other
        status, for what only settings can correct (certificates, an invalid proxy or login), for a web page in place
        of the file, and for more than `LARGEST` bytes.
    OSError
        `file` cannot be written to.
    """
    headers = {"Accept-Encoding": encoding}
    for wait in (*WAITS, None):
        url = address  # a redirection leads to another one
        advice = f"check {key}"
        authority = None
        try:
            with (
                connection.session() as session,
                session.get(address, stream=True, timeout=TIMEOUT, headers=headers) as response,
            ):
                url = response.url
                if response.status_code == expected:
                    return response
                if response.status_code == HTTPStatus.OK:
                    _save(response, address, file)
                    return response
                problem = f"status {response.status_code} {response.reason}".rstrip()
                permanent = response.status_code not in TRANSIENT
                if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    advice += f", and the login for this server in {connection.netrc()}"
                wait = wait and _retry_after(response, wait)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            url = getattr(getattr(error, "request", None), "url", None) or url
            problem, permanent = first_cause(error), _is_permanent(error)
            authority = connection.unknown_authority(_cause(error))
        except UnicodeError as error:
            problem, permanent = f"its login cannot be sent ({one_line(error)})", True
            advice += f", and the login for this server in {connection.netrc()}"
        if proxy := connection.proxy_of(url):
            problem = f"through the proxy {proxy[1]} (environment variable {proxy[0]}): {problem}"
            login = " (for a login: http://user:password@host:port)" if " 407 " in problem else ""
            advice += f" and {proxy[0]}{login}; {connection.exempt(url)}"
        if permanent:
            raise UserError(f"cannot fetch {address}: {problem}; {authority or advice}")
        if wait is not None:
            say(f"{address}: {problem}; trying again in {wait:g} s")
            time.sleep(wait)
    raise UserError(f"cannot fetch {address}: {problem}; {advice}, or try again later")


def _save(response: requests.Response, address: str, file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    name = urlsplit(address).path.rpartition("/")[2]
    size = 0
    with progress(name, response.raw.length_remaining, "B") as advance:
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            if is_page or (not size and chunk.lstrip().startswith(b"<")):
                raise UserError(
                    f"cannot fetch {address}: a web page in place of the file{connection.through(address)}; open the "
                    "address in a browser to read it"
                )
            size += len(chunk)
            if size > LARGEST:
                raise UserError(f"cannot fetch {address}: it is larger than {LARGEST:,} bytes")
            file.write(chunk)
            advance(len(chunk))
    file.seek(0)


def _retry_after(response: requests.Response, default: float) -> float:
    """Return the seconds in the header Retry-After, at most `LONGEST_WAIT`, or a default."""
    with suppress(urllib3.exceptions.InvalidHeader):
        return min(urllib3.Retry().get_retry_after(response.raw) or default, LONGEST_WAIT)
    return default


def _is_permanent(error: Exception) -> bool:
    """Return whether a request cannot succeed later, either: an untrusted certificate, a proxy that refuses, ..."""
    if not isinstance(error, requests.ConnectionError | requests.Timeout | urllib3.exceptions.HTTPError):
        return True
    refused = re.match(r"Tunnel connection failed: (\d+)", str(_cause(error)))
    return isinstance(_cause(error), ssl.SSLCertVerificationError) or bool(refused and int(refused[1]) not in TRANSIENT)


def _cause(error: BaseException) -> BaseException:
    """Return the network error that other exceptions were raised from."""
    chain = [error]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    return next((each for each in reversed(chain) if isinstance(each, OSError | HTTPException)), error)


def first_cause(error: BaseException) -> str:
    """Return the message of the network error that other exceptions were raised from."""
    cause = _cause(error)
    if isinstance(cause, TimeoutError):
        return f"no response from the server for {TIMEOUT:g} s"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    return one_line(getattr(cause, "strerror", None) or cause) or type(cause).__name__
