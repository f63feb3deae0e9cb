"""Campaign: stage fetch on data sets with random faults, in folders and on a server."""

import contextlib
import gzip
import io
import json
import os
import random
import resource
import struct
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from stages.fetch import download
from stages.fetch.__main__ import main as fetch
from stages.fetch.grey_values import edges
from stages.shared.errors import UserError
from stages.shared.files.datasets import Preparation
from stages.shared.files.paths import RAW
from stages.shared.files.text_files import DECIMALS
from stages.shared.process.console import progress
from tests.fixtures.damage import with_bits_flipped
from tests.fixtures.idx_files import NAMES, Digits, digits, gzipped, idx_images, idx_labels, write
from tests.fixtures.loopback import Answer, Loopback

SEED = 5
PAGE = b"<!DOCTYPE html>\n<title>Log in</title>\n"
OLDER = {"images.npy": b"files", "labels.npy": b"of an", "division.json": b"earlier", "preparation.json": b"run"}
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES

Chance = random.Random


@dataclass
class Source:
    """A data set to fetch, with a fault."""

    data: Digits  # without the fault
    served: bool  # on the server instead of in a folder
    files: dict[str, bytes]  # name -> content as stored, gzipped or not
    checked: bool  # whether params.yaml has the checksums
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)  # name -> sent by the server instead
    most_bytes: int | None = None  # size that no file on the disk can exceed


# Faults of one file as stored


def _stretch(chance: Chance, content: bytes) -> tuple[int, int]:
    start, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return start, end


def _byte_changed(chance: Chance, content: bytes) -> bytes:
    return with_bits_flipped(content, chance.randrange(len(content)), chance.randrange(1, 256))


def _bit_changed(chance: Chance, content: bytes) -> bytes:
    # In the header as often as anywhere.
    size = chance.choice([min(20, len(content)), len(content)])
    return with_bits_flipped(content, chance.randrange(size), 1 << chance.randrange(8))


def _zeroed(chance: Chance, content: bytes) -> bytes:
    start, end = _stretch(chance, content)
    return content[:start] + bytes(end - start) + content[end:]


def _repeated(chance: Chance, content: bytes) -> bytes:
    start, end = _stretch(chance, content)
    return content[:end] + content[start:]


STORED: dict[str, Callable[[Chance, bytes], bytes]] = {
    "no fault": lambda chance, content: content,
    "truncated": lambda chance, content: content[: chance.randrange(len(content))],
    "a byte changed": _byte_changed,
    "a bit changed": _bit_changed,
    "a stretch of zeros": _zeroed,
    "a stretch repeated": _repeated,
    "trailing bytes": lambda chance, content: content + bytes([chance.randrange(1, 256)]) + chance.randbytes(40),
    "empty": lambda chance, content: b"",
    "a web page as the file": lambda chance, content: PAGE,
    "noise as the file": lambda chance, content: chance.randbytes(chance.randrange(1, 2 * len(content))),
}

# Faults of the content, compressed correctly


def _value_changed(chance: Chance, contents: dict[str, bytes]) -> None:
    name = chance.choice(NAMES)
    header = 16 if "images" in name else 8
    contents[name] = contents[name][:header] + _byte_changed(chance, contents[name][header:])


def _header_changed(chance: Chance, contents: dict[str, bytes]) -> None:
    name = chance.choice(NAMES)
    layout = ">4I" if "images" in name else ">2I"
    numbers = list(struct.unpack_from(layout, contents[name]))
    place = chance.randrange(len(numbers))
    near = max(0, numbers[place] + chance.choice([-1, 1]))
    numbers[place] = chance.choice([near, 0, 2 * numbers[place], 2**31, chance.randrange(2**32)])
    contents[name] = struct.pack(layout, *numbers) + contents[name][4 * len(numbers) :]


def _fewer_rows(chance: Chance, contents: dict[str, bytes]) -> None:
    other = digits(rows=7, side=8)
    name = chance.choice(NAMES)
    contents[name] = idx_images(other.images) if "images" in name else idx_labels(other.labels)


def _not_square(chance: Chance, contents: dict[str, bytes]) -> None:
    count, height = chance.randrange(9), chance.randrange(9)
    width = chance.choice([side for side in range(9) if side != height])
    contents[chance.choice([TRAIN_IMAGES, TEST_IMAGES])] = idx_images(np.zeros((count, height, width), np.uint8))


def _one_class(chance: Chance, contents: dict[str, bytes]) -> None:
    label = chance.randrange(256)
    for name in (TRAIN_LABELS, TEST_LABELS):
        contents[name] = idx_labels(np.full(len(contents[name]) - 8, label))


CONTENT: dict[str, Callable[[Chance, dict[str, bytes]], None]] = {
    "a value changed": _value_changed,
    "a number of the header changed": _header_changed,
    "fewer images or labels": _fewer_rows,
    "images empty or not square": _not_square,
    "one class": _one_class,
}

# Faults of the source as a whole


def _swapped(chance: Chance, source: Source) -> None:
    one, other = chance.sample(list(source.files), 2)
    source.files[one], source.files[other] = source.files[other], source.files[one]


def _missing(chance: Chance, source: Source) -> None:
    del source.files[chance.choice(list(source.files))]


def _bomb(chance: Chance, source: Source) -> None:
    name = chance.choice([name for name in source.files if "images" in name])
    rows = chance.choice([2, 2_000_000])  # the file holds more than the one, less than the other
    del source.files[name]
    header = struct.pack(">4I", 0x803, rows, 28, 28)
    source.files[f"{name.removesuffix('.gz')}.gz"] = gzip.compress(header + bytes(10_000_000), mtime=0)


def _disk_full(chance: Chance, source: Source) -> None:
    source.most_bytes = chance.randrange(max(map(len, source.files.values())) + 200)


WHOLE: dict[str, Callable[[Chance, Source], None]] = {
    "two files swapped": _swapped,
    "a file missing": _missing,
    "a gzip bomb": _bomb,
    "disk full": _disk_full,
}

# Faults of the server


def _framing(chance: Chance) -> str:
    return chance.choice(["length", "chunks", "end"])


def _broken_off(chance: Chance, content: bytes, *, reset: bool = False) -> Answer:
    return Answer(content, framing=_framing(chance), cut=chance.randrange(len(content)), reset=reset)


def _wrong_length(chance: Chance, content: bytes) -> Answer:
    lengths = [0, len(content) - 1, len(content) + 1, chance.randrange(2 * len(content))]
    return Answer(content, headers={"Content-Length": str(chance.choice(lengths))})


def _error_status(chance: Chance, content: bytes) -> Answer:
    return Answer(PAGE, status=chance.choice([204, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503, 504]))


def _page(chance: Chance, content: bytes) -> Answer:
    return Answer(PAGE, headers=chance.choice([{"Content-Type": "text/html"}, {}]), framing=_framing(chance))


def _bad_redirect(chance: Chance, content: bytes) -> Answer:
    places = ["ftp://127.0.0.1/", "file:///etc/hostname", "http://127.0.0.1:1/", "?again", "//", "http://"]
    return Answer(status=302, headers={"Location": chance.choice(places)})


def _busy(chance: Chance, content: bytes) -> list[Answer]:
    busy = [Answer(status=chance.choice([429, 500, 503])) for _ in range(chance.randrange(1, 4))]
    return [*busy, Answer(content, framing=_framing(chance))]


SERVER: dict[str, Callable[[Chance, bytes], Answer | list[Answer]]] = {
    "broken off": _broken_off,
    "connection reset": lambda chance, content: _broken_off(chance, content, reset=True),
    "a wrong Content-Length": _wrong_length,
    "an error status": _error_status,
    "a web page with status 200": _page,
    "a redirect to nowhere": _bad_redirect,
    "busy at first": _busy,
    "silent": lambda chance, content: Answer(content, silent=True),
    "slow": lambda chance, content: Answer(content, framing=_framing(chance), seconds_per_byte=0.02),
}

FAULTS = [*STORED, *CONTENT, *WHOLE, *SERVER]
# These must be fetched: nothing is wrong, or not for long.
SOUND = ("no fault", "busy at first")
# Without checksums these could be valid data.
NEED_CHECKSUMS = (
    *("a byte changed", "a bit changed", "a stretch of zeros", "a stretch repeated", "two files swapped"),
    *("a value changed", "one class", "fewer images or labels"),
)
# Settings of stages.fetch.download that would make a trial long.
SHORTER = {"silent": {"TIMEOUT": 0.1}, "slow": {"DEADLINE": 0.2}}


def campaign(n: int) -> dict[str, Any]:
    """Fetch n small data sets, each with a fault.

    Returns
    -------
    dict
        trials, from_a_server: counts; refused, right: fault -> how many ended in an error message, and how many in
        exactly the intended data; `went_wrong`, one text per trial that did neither or left files behind.
    """
    counts: dict[str, Counter[str]] = {"refused": Counter(), "right": Counter()}
    from_a_server, wrong = 0, []
    with (
        tempfile.TemporaryDirectory(prefix="data-") as folder,
        Loopback() as site,
        progress("data", n, "trials") as advance,
        mock.patch.dict(os.environ, NO_PROXY="127.0.0.1"),
        mock.patch.object(download, "WAITS", (0.0,) * 4),
    ):
        for number in range(n):
            kind = FAULTS[number % len(FAULTS)]
            chance = Chance(f"{SEED} {number}")
            source = make_source(chance, kind)
            from_a_server += source.served
            with mock.patch.dict(vars(download), SHORTER.get(kind, {})):
                result = fetch_from(source, Path(folder) / str(number), site, before=chance.choice([OLDER, {}]))
            if result == "right" or (result == "refused" and kind not in SOUND):
                counts[result][kind] += 1
            else:
                wrong.append(f"trial {number}, {kind}: {result}")
            advance(1)
    return {
        "trials": n,
        "from_a_server": from_a_server,
        **{result: dict(of_kind) for result, of_kind in counts.items()},
        "went_wrong": wrong,
    }


def make_source(chance: Chance, kind: str) -> Source:
    """Make a random data set with one of `FAULTS`."""
    rows = chance.randrange(20, 60)
    data = digits(rows, chance.randrange(4, 13), chance.randrange(2, 11), rows - 10, seed=chance.randrange(1000))
    stored: Callable[[dict[str, bytes]], dict[str, bytes]] = gzipped if chance.random() < 0.5 else dict
    source = Source(
        data,
        served=kind in SERVER or chance.random() < 0.5,
        files=stored(data.files()),
        checked=kind in NEED_CHECKSUMS or chance.random() < 0.5,
    )
    name = chance.choice(list(source.files))
    if kind in STORED:
        source.files[name] = STORED[kind](chance, source.files[name])
    elif kind in CONTENT:
        contents = data.files()
        CONTENT[kind](chance, contents)
        source.files = stored(contents)
    elif kind in WHOLE:
        WHOLE[kind](chance, source)
    else:
        source.answers[name] = SERVER[kind](chance, source.files[name])
    return source


def fetch_from(source: Source, folder: Path, site: Loopback, before: dict[str, bytes]) -> str:
    """Run the stage in a new folder, with files of an earlier run in data/raw; return "right", "refused" or a fault."""
    temporary, work = folder / "temporary", folder / "work"
    temporary.mkdir(parents=True)
    write(work / RAW, before)
    if source.served:
        site.answers = {}
        address = site.serve(folder.name, source.files)
        site.answers |= {f"/{folder.name}/{name}": answer for name, answer in source.answers.items()}
    else:
        address = str(write(folder / "source", source.files))
    params: dict[str, Any] = {"source": address}
    if source.checked:
        arrays = {"images": source.data.images, "labels": source.data.labels}
        params["sha256"] = {key: sha256(array.tobytes()).hexdigest() for key, array in arrays.items()}
    (work / "params.yaml").write_text(json.dumps({"fetch": params}))  # JSON is YAML

    message = ""
    with (
        contextlib.chdir(work),
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(tempfile, "tempdir", str(temporary)),
        _file_size(source.most_bytes),
    ):
        try:
            fetch()
        except UserError as error:
            message = str(error)
        except Exception:
            return traceback.format_exc()

    after = {path.name: path.read_bytes() for path in (work / RAW).glob("*")}
    if remaining := [path.name for path in temporary.iterdir()]:
        return f"leaves {', '.join(remaining)} in the temporary folder"
    if not message:
        return "right" if after == _raw_files(source.data) else "writes other data"
    if after != before:
        return "changes data/raw although it fails"
    # At most one line for the checksum of the images and one for that of the labels.
    lines = message.splitlines()
    return "refused" if len(lines) <= 2 and all(len(line) > 20 for line in lines) else f"reports {message!r}"


def _raw_files(data: Digits) -> dict[str, bytes]:
    """Return the files of data/raw for a data set."""
    files = {}
    for name, array in (("images", data.images), ("labels", data.labels)):
        stream = io.BytesIO()
        np.save(stream, array)
        files[f"{name}.npy"] = stream.getvalue()
    contents = {
        "division": {"rows": len(data.labels), "train_rows": data.train_rows},
        "preparation": Preparation(edges=round(edges(data.images) / 255, DECIMALS))._asdict(),
    }
    texts = {f"{name}.json": json.dumps(content, indent=2).encode() + b"\n" for name, content in contents.items()}
    return {**files, **texts}


@contextlib.contextmanager
def _file_size(most_bytes: int | None) -> Iterator[None]:
    """Limit the size of the files that this process writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft if most_bytes is None else most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
