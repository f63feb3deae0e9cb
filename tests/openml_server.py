"""A web server on loopback, and the answers of OpenML for it to give."""

import gzip
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

OPENML = "https://www.openml.org"


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
    silent : bool
        Send the headers and then nothing.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
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
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
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


def _handler(site: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = site.next_answer(self.path)
            self.send_response(answer.status)
            for key, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if answer.silent:
                site.over.wait(timeout=10)
            else:
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def openml(
    pixels: NDArray[Any],
    labels: Sequence[str],
    *,
    name: str = "digits",
    version: int = 1,
    data_id: int = 554,
    numeric_labels: bool = False,
) -> dict[str, Answer]:
    """Return OpenML's answers, by path, for a data set with a column for each pixel.

    Parameters
    ----------
    pixels : ndarray, shape (n, columns)
        Values, written as they print; None is written as "?".
    labels : sequence of str
        Labels, shape (n,).
    name, version, data_id
        As OpenML would list it.
    numeric_labels : bool
        Declare the label column numeric, not nominal.
    """
    columns = [f"pixel{i + 1}" for i in range(pixels.shape[1])]
    classes = sorted(set(labels))
    kind = "REAL" if numeric_labels else "{" + ",".join(map(_quoted, classes)) + "}"
    arff = "\n".join(
        [
            f"% {name}",
            f"@RELATION {name}",
            *(f"@ATTRIBUTE {column} REAL" for column in columns),
            f"@ATTRIBUTE class {kind}",
            "@DATA",
            *(
                ",".join(["?" if value is None else str(value) for value in row] + [_quoted(label)])
                for row, label in zip(pixels.tolist(), labels, strict=True)
            ),
            "",
        ]
    ).encode()
    features = [_feature(i, column, "numeric") for i, column in enumerate(columns)]
    features.append(_feature(len(columns), "class", "numeric" if numeric_labels else "nominal", target=True))
    file = f"/data/v1/download/{data_id}/{name}.arff"
    description = {
        "id": str(data_id),
        "name": name,
        "version": str(version),
        "description": "synthetic",
        "format": "ARFF",
        "url": OPENML + file,
        "file_id": str(data_id),
        "default_target_attribute": "class",
        "status": "active",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    listed = {"did": data_id, "name": name, "version": version, "status": "active", "format": "ARFF"}
    rows = {"quality": [{"name": "NumberOfInstances", "value": f"{len(labels)}.0"}]}
    return {
        f"/api/v1/json/data/list/data_name/{name}/limit/2/data_version/{version}": _json(
            {"data": {"dataset": [listed]}}
        ),
        f"/api/v1/json/data/{data_id}": _json({"data_set_description": description}),
        f"/api/v1/json/data/features/{data_id}": _json({"data_features": {"feature": features}}),
        f"/api/v1/json/data/qualities/{data_id}": _json({"data_qualities": rows}),
        file: Answer(gzip.compress(arff), headers={"Content-Encoding": "gzip"}),
    }


def unknown_data() -> Answer:
    """Return OpenML's answer about a data set that it does not have."""
    return Answer(b'{"error":{"code":"111","message":"Unknown dataset"}}', 412)


def changed(answer: Answer, **description: Any) -> Answer:
    """Change some of what OpenML says of a data set."""
    content = json.loads(answer.body)
    content["data_set_description"] |= description
    return _json(content)


def _quoted(label: str) -> str:
    return f"'{label}'" if " " in label else label


def _feature(index: int, name: str, kind: str, target: bool = False) -> dict[str, str]:
    return {
        "index": str(index),
        "name": name,
        "data_type": kind,
        "is_target": str(target).lower(),
        "is_ignore": "false",
        "is_row_identifier": "false",
        "number_of_missing_values": "0",
    }


def _json(content: dict[str, Any]) -> Answer:
    return Answer(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def columns_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay images out as OpenML does: a row for each, (n, side * side)."""
    return images.reshape(len(images), -1)
