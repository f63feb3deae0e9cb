"""A web server on loopback that plays the faults of others."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PIECE = 2**14  # bytes that are sent at once


@dataclass
class Answer:
    """What the server sends for one path.

    Attributes
    ----------
    body : bytes
        The content.
    status : int
        HTTP status.
    headers : dict of str to str
        More headers; a Content-Length here replaces the true one.
    framing : str
        How the end of the body is told: by its "length" (Content-Length), in "chunks", or by the "end" of the
        connection.
    cut : int, optional
        Hang up after so many bytes of the body.
    reset : bool
        Hang up hard, so that the other side is told of an error.
    seconds_a_byte : float
        Send the body byte by byte, this slowly.
    silent : bool
        Send the headers and then nothing.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    framing: str = "length"
    cut: int | None = None
    reset: bool = False
    seconds_a_byte: float = 0.0
    silent: bool = False


class Loopback:
    """Serves answers by path, on a port of the system's choice, until the `with` block ends.

    A list of answers is given one by one, the last of them for ever; an unknown path is 404, or `otherwise`.
    """

    def __init__(self, otherwise: Answer | None = None) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.otherwise = otherwise or Answer(b"no such file", 404)
        self.asked: list[str] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, folder: str, files: dict[str, bytes]) -> str:
        """Serve files below a path and return their address."""
        self.answers |= {f"/{folder}/{name}": Answer(content) for name, content in files.items()}
        return f"{self.address}/{folder}"

    def next_answer(self, path: str) -> Answer:
        """Note that a path was asked for, and choose its answer."""
        self.asked.append(path)
        found = self.answers.get(path, self.otherwise)
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found


class _Server(ThreadingHTTPServer):
    def shutdown_request(self, request: Any) -> None:
        # Without the farewell that comes before a reset otherwise.
        self.close_request(request)


def _handler(site: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = site.next_answer(self.path)
            framing = {
                "length": {"Content-Length": str(len(answer.body))},
                "chunks": {"Transfer-Encoding": "chunked"},
                "end": {},
            }
            self.send_response(answer.status)
            for key, value in {**framing[answer.framing], **answer.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if answer.silent:
                site.over.wait(timeout=10)
                return
            # A client that has seen enough hangs up.
            with contextlib.suppress(ConnectionError):
                self._send_body(answer)
            if answer.reset:
                # Closed with a linger time of 0, a connection is reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def _send_body(self, answer: Answer) -> None:
            body = answer.body if answer.cut is None else answer.body[: answer.cut]
            piece = 1 if answer.seconds_a_byte else PIECE
            for start in range(0, len(body), piece):
                part = body[start : start + piece]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if answer.framing == "chunks" else part)
                if answer.seconds_a_byte and site.over.wait(answer.seconds_a_byte):
                    return
            if answer.framing == "chunks" and answer.cut is None:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
