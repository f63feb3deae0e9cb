"""Reads .npz files with arrays of images and labels, as Keras and MedMNIST publish data sets."""

import zipfile
import zlib
from typing import BinaryIO

import numpy as np

from stages.fetch import file_kinds
from stages.fetch.arrays import as_grey_images, as_label_list, as_labels
from stages.fetch.checks import Part, check_pairs, join
from stages.fetch.idx import LARGEST
from stages.shared.errors import UserError, one_line
from stages.shared.files.datasets import Raw
from stages.shared.process.console import say

# Names of the arrays of images and labels of a part.
NAMES = (("x_{}", "y_{}"), ("{}_images", "{}_labels"))
UNDIVIDED = (("x", "y"), ("images", "labels"))
ALLOWED = "x_train, y_train, x_test and y_test; train_images, train_labels, test_images and test_labels; or x and y"


def read_npz(file: BinaryIO, shown: str) -> Raw:
    """Read a data set from an .npz file, never one with pickled objects.

    Parameters
    ----------
    file : binary file
        The file.
    shown : str
        Its name in errors.

    Returns
    -------
    Raw
        The training part, then the validation part if there is one, then the test part.

    Raises
    ------
    UserError
        The file is damaged or has other arrays, or an array is not one of images or labels.
    """
    start = file.read(file_kinds.NEEDED)
    file.seek(0)
    if not zipfile.is_zipfile(file):
        raise UserError(f"{shown} is not a NumPy archive (.npz), but {file_kinds.describe(start)}")
    file.seek(0)
    try:
        with np.load(file, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > LARGEST:
                raise UserError(f"{shown}: the arrays have more than {LARGEST:,} bytes, which is not supported")
            return _read_parts(archive, shown)
    # Not a whole archive, with a password, compressed by another method, or with arrays that NumPy cannot read.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{shown} is damaged, or not an archive of NumPy arrays: {one_line(error)}") from error


def _read_parts(archive: "np.lib.npyio.NpzFile", shown: str) -> Raw:
    for images, labels in NAMES:
        names = {part: (images.format(part), labels.format(part)) for part in ("train", "val", "test")}
        if set(names["train"] + names["test"]) <= set(archive.files):
            train, test = _read(archive, *names["train"], shown), _read(archive, *names["test"], shown)
            if set(names["val"]) <= set(archive.files):
                train = join(train, _read(archive, *names["val"], shown), shown)
                say("fetch: the validation part counts as training rows, of which split.validation takes a share")
            joined = join(train, test, shown)
            return Raw(joined.images, as_labels(joined.labels), len(train.labels))
    for images, labels in UNDIVIDED:
        if {images, labels} <= set(archive.files):
            part = check_pairs(_read(archive, images, labels, shown), shown)
            return Raw(part.images, as_labels(part.labels), None)
    raise UserError(f"{shown} has the arrays {', '.join(archive.files) or 'none'}; it must have {ALLOWED}")


def _read(archive: "np.lib.npyio.NpzFile", images: str, labels: str, shown: str) -> Part:
    arrays = []
    for name in (images, labels):
        try:
            arrays.append(np.asarray(archive[name]))  # of another file than an array, the bytes
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise UserError(
                f"{shown}: the array {name} consists of pickled Python objects, which can contain code and are not "
                "read; save it as an array of numbers, or of strings for labels"
            ) from error
    return Part(as_grey_images(arrays[0], f"{shown}: {images}"), as_label_list(arrays[1], f"{shown}: {labels}"))
