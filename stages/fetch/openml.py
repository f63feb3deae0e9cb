"""Reads a data set of https://www.openml.org: a table with a column for each pixel and one for the label."""

import io
import json
import math
import socket
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from stages.fetch import network
from stages.shared.errors import UserError
from stages.shared.files.datasets import Raw
from stages.shared.process.console import say

DOMAIN = "openml.org"
SERVER = f"https://www.{DOMAIN}"


def from_openml(
    name: str | None, version: int | None, data_id: int | None, train_rows: int | None, server: str | None
) -> tuple[Raw, str]:
    """Fetch a data set by name and version, or by number.

    Parameters
    ----------
    name, version : str and int, or None
        As OpenML lists it.
    data_id : int or None
        Its number, in place of the two.
    train_rows : int or None
        How many of its first rows are the data set's own training part, if it has one.
    server : str or None
        Address of a mirror that answers below it as OpenML does.

    Returns
    -------
    raw : Raw
        Images and labels in OpenML's order.
    shown : str
        What to call the data set in a message.

    Raises
    ------
    UserError
        The server cannot be reached or does not have the data set, or this is not one of square grey images
        with a label each.
    """
    # Takes longer to import than the other sources take to read.
    from sklearn.datasets import fetch_openml

    what = f"{name}, version {version}" if data_id is None else f"data set {data_id}"
    shown = f"{what}, of {server or SERVER}"
    if server is not None:
        network.split_address(server, "fetch.openml.server")
    say(f"reading {shown}; 70,000 rows take one to two minutes, most of them after the download")
    try:
        # Nothing is kept: DVC keeps what this stage writes. Without a folder scikit-learn downloads twice.
        with tempfile.TemporaryDirectory() as folder, _asking(server), _said_plainly():
            table = fetch_openml(
                name=name,
                version="active" if version is None else version,
                data_id=data_id,
                data_home=folder,
                as_frame=False,
                # The faster parser, pandas, reads labels such as "5" as numbers, which scikit-learn 1.9 with
                # pandas 3 does not survive.
                parser="liac-arff",
            )
    # The answer is a stranger's, and scikit-learn's parsers meet a bad one with any kind of error.
    except Exception as error:
        raise UserError(f"cannot fetch {shown}: {_why(error)}") from error
    images = _images(table.data, table.categories, shown)
    labels = _labels(table.target, shown)
    if train_rows is not None and train_rows >= len(labels):
        raise UserError(
            f"{shown} has {len(labels):,} rows, so that {train_rows:,} in fetch.openml.train_rows leaves "
            "none for testing; write fewer, or null if the data set has no division of its own"
        )
    return Raw(images, labels, train_rows), shown


def as_images(columns: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn a table with a column for each pixel into square images.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, side * side)
        Grey values, row by row of the image.

    Returns
    -------
    ndarray of uint8, shape (n, side, side)
        Grey values, 0-255.

    Raises
    ------
    ValueError
        The number of columns is no square, there are no rows, or a value is no integer in 0-255.
    """
    rows, pixels = columns.shape
    side = math.isqrt(pixels)
    if not rows or not pixels or side * side != pixels:
        raise ValueError(
            f"it has {rows:,} rows of {pixels:,} pixel columns; square images need at least one row and "
            "a square number of columns, such as 784 for 28 x 28"
        )
    with np.errstate(invalid="ignore"):
        grey = columns.astype(np.uint8)
    if not np.array_equal(grey, columns):
        row, column = np.argwhere(grey != columns)[0]
        raise ValueError(
            f"the value in row {row + 1:,}, pixel column {column + 1:,} is {columns[row, column]:g}; "
            "grey values must be integers from 0 to 255"
        )
    return grey.reshape(rows, side, side)


def as_labels(target: NDArray[Any]) -> NDArray[Any]:
    """Give labels the narrowest of three types that holds them all.

    Parameters
    ----------
    target : ndarray of float64 or of str objects, shape (n,)
        Labels, as numbers or as text.

    Returns
    -------
    ndarray, shape (n,)
        uint8 if all are integers in 0-255 ("5" is one, "05" is not), int64 if all are integers, else
        fixed-width strings.
    """
    if target.dtype.kind == "f" and np.array_equal(target, np.rint(target)):
        target = target.astype(np.int64)
    names, codes = np.unique([str(label) for label in target.tolist()], return_inverse=True)
    try:
        numbers = np.array([int(name) for name in names], dtype=np.int64)
    except (ValueError, OverflowError):
        return names[codes]
    if not np.array_equal(numbers.astype(str), names):
        return names[codes]
    if numbers.min() >= 0 and numbers.max() <= 255:
        numbers = numbers.astype(np.uint8)
    return numbers[codes]


def _images(data: Any, categories: dict[str, list[str]], shown: str) -> NDArray[np.uint8]:
    if not isinstance(data, np.ndarray):
        raise UserError(f"{shown} is stored as sparse ARFF, which cannot be read; choose a dense version of it")
    if categories:
        raise UserError(f"{shown}: column '{next(iter(categories))}' holds names; pixel columns must hold numbers")
    try:
        return as_images(data)
    except ValueError as error:
        raise UserError(f"{shown}: {error}") from error


def _labels(target: NDArray[Any] | None, shown: str) -> NDArray[Any]:
    if target is None or target.ndim != 1:
        count = "no" if target is None else "more than one"
        raise UserError(f"{shown} has {count} target column; there must be one, with the labels")
    if target.dtype.kind == "f" and np.isnan(target).any():
        raise UserError(f"{shown}: rows without a label: {np.isnan(target).sum():,}; each must have one")
    return as_labels(target)


class _Mirror(urllib.request.BaseHandler):
    """Sends what is meant for OpenML to another server.

    scikit-learn has no setting for it; this is urllib's own way for a program to rewrite a request.
    """

    handler_order = 100  # before urllib's own (500), which take the host from the address

    def __init__(self, server: str) -> None:
        self.server = server.rstrip("/")

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        parts = urlsplit(request.full_url)
        if f".{parts.hostname}".endswith(f".{DOMAIN}"):
            request.full_url = self.server + parts._replace(scheme="", netloc="").geturl()
        return request

    http_request = https_request


class _Patience(urllib.request.BaseHandler):
    """Notices a server that sends too slowly."""

    def https_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        response.fp = io.BufferedReader(network.Paced(response.fp))
        return response

    http_response = https_response


@contextmanager
def _asking(server: str | None) -> Iterator[None]:
    """Have urllib, through which scikit-learn asks, go to the server wanted, by http(s), and not for ever."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,  # refuses file: and ftp:, to which an answer may point
    ):
        opener.add_handler(handler())
    opener.add_handler(_Patience())
    if server is not None:
        opener.add_handler(_Mirror(server))
    seconds = socket.getdefaulttimeout()
    urllib.request.install_opener(opener)
    socket.setdefaulttimeout(network.SECONDS_OF_SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(seconds)
        urllib.request.install_opener(urllib.request.build_opener())


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn scikit-learn's warnings (a retry, a data set with known faults) into lines of the stage."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            # Its RuntimeWarnings tell of the temporary folder.
            told = [str(w.message) for w in caught if not issubclass(w.category, RuntimeWarning)]
            for text in dict.fromkeys(told):
                say(f"OpenML: {' '.join(text.split())}")


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return f"the server answers {error.code} {error.reason}; check fetch.openml, or try again later"
    if isinstance(error, json.JSONDecodeError):
        return "the server sends something that is no JSON, perhaps a web page; check fetch.openml.server"
    if "md5 checksum" in str(error):
        return "the data do not have the MD5 that the server itself gives for them; try again later"
    if isinstance(error, OSError | HTTPException | network.TooSlowError):
        return network.why(error)
    if isinstance(error, KeyError | IndexError | TypeError):
        return "the server's answer lacks what OpenML's has; check fetch.openml.server"
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text or type(error).__name__}; check fetch.openml"
