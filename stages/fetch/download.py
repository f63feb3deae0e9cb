"""Downloads a file over HTTP: with retries and progress, whole or not at all."""

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from stages.fetch import network
from stages.fetch.idx import LARGEST
from stages.shared.errors import UserError
from stages.shared.process.console import progress, say

RETRIES = 4
BACKOFF = 0.5  # seconds; no wait before the first retry, twice this before the second, then twice as long each
LONGEST_WAIT = 60  # seconds; a server that is busy may ask for more, in Retry-After
PASSING = (429, 500, 502, 503, 504)  # statuses that a later request may not meet
CHUNK = 2**16  # bytes


class _Retry(Retry):
    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        try:
            return super().get_retry_after(response)
        except urllib3.exceptions.InvalidHeader:
            return None  # neither a number nor a date

    def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
        # What is waited for in silence looks like a program that hangs.
        asked = self.get_retry_after(response) if response is not None else None
        if seconds := asked or self.get_backoff_time():
            status = self.history[-1].status
            said = f"the server answers {status}" if status else "no answer"
            say(f"{said}; asking again in {seconds:.0f} s")
        super().sleep(response)


def session() -> requests.Session:
    """Return a session that asks again, ever more slowly, after what may pass: no connection, 429, 5xx."""
    retry = _Retry(
        total=RETRIES,
        read=1,  # each costs up to half a minute of silence
        backoff_factor=BACKOFF,
        status_forcelist=PASSING,
        raise_on_status=False,
        retry_after_max=LONGEST_WAIT,
    )
    http = requests.Session()
    http.mount("http://", HTTPAdapter(max_retries=retry))
    http.mount("https://", HTTPAdapter(max_retries=retry))
    # The size in Content-Length is then that of the file, and not of what the server makes of it on the way.
    http.headers["Accept-Encoding"] = "identity"
    return http


def download_first(http: requests.Session, addresses: Iterable[str], path: Path) -> str:
    """Download the first of several addresses that there is.

    Parameters
    ----------
    http : requests.Session
        What `session` returned.
    addresses : iterable of str
        Spellings of the file's address, the likeliest first; not empty.
    path : Path
        File to write, as the server has it: still compressed, if it is.

    Returns
    -------
    str
        The address that was there.

    Raises
    ------
    UserError
        The server cannot be reached, has none of them, answers with another error or with a web page, breaks
        off, sends ever so slowly, or sends more than `LARGEST` bytes.
    """
    tried = []
    for address in addresses:
        if _download(http, address, path):
            return address
        tried.append(address)
    folder = tried[0].rpartition("/")[0]
    names = ", ".join(address.rpartition("/")[2] for address in tried)
    raise UserError(
        f"{folder} has no {names} (404 Not Found); the address in fetch.source must hold one of these files"
    )


def _download(http: requests.Session, address: str, path: Path) -> bool:
    try:
        with http.get(address, stream=True, timeout=network.SECONDS_OF_SILENCE) as response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                return False
            if response.status_code != HTTPStatus.OK:
                status = f"{response.status_code} {response.reason or ''}".strip()
                advice = "try again later" if response.status_code in PASSING else "check fetch.source"
                raise UserError(f"cannot fetch {address}: the server answers {status}; {advice}")
            _save(response, address, path)
    except (requests.RequestException, urllib3.exceptions.HTTPError, network.TooSlowError) as error:
        raise UserError(f"cannot fetch {address}: {network.why(error)}") from error
    except OSError as error:
        raise UserError(f"cannot write {path}, where {address} was to go: {error.strerror or error}") from error
    return True


def _save(response: requests.Response, address: str, path: Path) -> None:
    total, done, pace = response.raw.length_remaining, 0, network.Pace()
    page = response.headers.get("Content-Type", "").startswith("text/html")
    with path.open("wb") as file, progress(path.name, total, "B") as advance:
        try:
            # What has come in, not a whole chunk, so that a slow server is noticed.
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                pace.add(len(chunk))
                if page or (not done and chunk.lstrip().startswith(b"<")):
                    raise UserError(
                        f"cannot fetch {address}: the server sends a web page in place of the file; "
                        "open the address in a browser to see what it says"
                    )
                done += len(chunk)
                if done > LARGEST:
                    raise UserError(f"cannot fetch {address}: it is larger than {LARGEST:,} bytes")
                file.write(chunk)
                advance(len(chunk))
        except urllib3.exceptions.ProtocolError as error:
            of_total = f" of {total:,}" if total else ""
            raise UserError(
                f"cannot fetch {address}: it broke off after {file.tell():,}{of_total} bytes; try again"
            ) from error
