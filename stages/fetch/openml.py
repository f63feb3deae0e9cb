"""Reads a data set of https://www.openml.org: a table with one column per pixel and one for the label."""

import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from http import HTTPStatus
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.response import addinfourl

import numpy as np

from stages.fetch import download
from stages.fetch.arrays import as_labels, as_squares
from stages.shared.errors import UserError, one_line
from stages.shared.files.datasets import Raw
from stages.shared.params.fetch_section import OpenML
from stages.shared.process.console import say

DOMAIN = "openml.org"
SERVER = f"https://www.{DOMAIN}"


def from_openml(wanted: OpenML) -> tuple[Raw, str]:
    """Fetch a data set by name and version, or by number.

    Parameters
    ----------
    wanted : OpenML
        Section `fetch.openml` of params.yaml.

    Returns
    -------
    raw : Raw
        Images and labels in OpenML's order.
    shown : str
        The name of the data set in messages.

    Raises
    ------
    UserError
        The data set cannot be fetched, or does not consist of square grey images with one label each.
    """
    # Takes longer to import than the other sources take to read.
    from sklearn.datasets import fetch_openml

    name = f"{wanted.name}, version {wanted.version}" if wanted.data_id is None else f"data set {wanted.data_id}"
    shown = f"{name}, of {wanted.server or SERVER}"
    if wanted.server is not None:
        download.split_address(wanted.server, "fetch.openml.server")
    say(f"reading {shown}; 70,000 rows take one to two minutes, most of them after the download")
    with download.deadline(shown), _own_downloads(wanted.server):
        try:
            # DVC keeps this stage's outputs, so no cache is needed, but without a folder scikit-learn downloads twice.
            with tempfile.TemporaryDirectory() as folder:
                table = fetch_openml(
                    name=wanted.name,
                    version=wanted.version or "active",
                    data_id=wanted.data_id,
                    data_home=folder,
                    as_frame=False,
                    # The faster parser, pandas, reads labels such as "5" as numbers, which scikit-learn 1.9 with
                    # pandas 3 cannot handle.
                    parser="liac-arff",
                )
        except UserError as error:
            raise UserError(f"{shown}: {error}") from error
        # scikit-learn's parsers raise exceptions of any kind for an answer that is not OpenML's.
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the temporary folder is full
            problem = f"{type(error).__name__}: {one_line(error).rstrip('.')}"
            raise UserError(f"cannot fetch {shown}: {problem}; check fetch.openml, or try again later") from error
    if not isinstance(table.data, np.ndarray):
        raise UserError(f"{shown} is stored as sparse ARFF, which is not supported; choose a dense version of it")
    if table.categories:
        raise UserError(f"{shown}: column '{next(iter(table.categories))}' is nominal; pixel columns must be numeric")
    if table.target is None or table.target.ndim != 1:
        columns = 0 if table.target is None else table.target.shape[1]
        raise UserError(f"{shown} has {columns} target columns; it must have one, with the labels")
    try:
        images, labels = as_squares(table.data), as_labels(table.target)
    except ValueError as error:
        raise UserError(f"{shown}: {error}") from error
    if wanted.train_rows is not None and wanted.train_rows >= len(labels):
        raise UserError(
            f"fetch.openml.train_rows is {wanted.train_rows:,}, but {shown} has {len(labels):,} rows, so none are left "
            "for testing; write a smaller number, or null if the data set has no division of its own"
        )
    return Raw(images, labels, wanted.train_rows), shown


class _Opener(urllib.request.OpenerDirector):
    """Downloads for scikit-learn as for the other sources, with the same retries, proxies and certificates.

    Requests for OpenML are sent to a mirror, if there is one; scikit-learn has no setting for it.
    """

    def __init__(self, server: str | None) -> None:
        super().__init__()
        self.server = server
        self.failure: UserError | None = None

    def open(self, fullurl: Any, data: Any = None, timeout: float | None = None) -> Any:
        if self.failure:  # scikit-learn tries a second time
            raise self.failure
        address = fullurl.full_url
        parts = urlsplit(address)
        if self.server and f".{parts.hostname}".endswith(f".{DOMAIN}"):
            address = self.server.rstrip("/") + parts._replace(scheme="", netloc="").geturl()
        with ExitStack() as opened:
            file = opened.enter_context(tempfile.TemporaryFile())
            try:
                # With this status, OpenML says that it has no such data set.
                response = download.download(
                    address, file, "fetch.openml", expected=HTTPStatus.PRECONDITION_FAILED, encoding="gzip"
                )
            except UserError as error:
                self.failure = error
                raise
            headers = cast(Message, response.headers)
            if not response.ok:
                raise HTTPError(address, response.status_code, response.reason, headers, None)
            opened.pop_all()  # the answer closes the file
        return addinfourl(file, headers, address, response.status_code)


@contextmanager
def _own_downloads(server: str | None) -> Iterator[None]:
    """Replace urllib's downloads, which scikit-learn uses, by `download`, and print warnings as lines."""
    urllib.request.install_opener(_Opener(server))
    try:
        with warnings.catch_warnings():
            # A data set with known faults. RuntimeWarnings are about the temporary folder.
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.showwarning = lambda message, *_, **__: say(f"OpenML: {one_line(message)}")
            yield
    finally:
        urllib.request.install_opener(urllib.request.build_opener())
