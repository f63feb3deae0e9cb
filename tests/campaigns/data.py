"""Campaign: data sets with random faults, in folders and on a server, through stage fetch."""

import contextlib
import gzip
import io
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from stages.fetch import download, network
from stages.fetch.__main__ import main as fetch
from stages.shared.errors import UserError
from stages.shared.files.paths import RAW
from stages.shared.process.console import progress
from tests.fixtures.idx_files import NAMES, Digits, digits, gzipped, idx_images, idx_labels, write
from tests.fixtures.loopback import Answer, Loopback

ROOT = Path(__file__).resolve().parents[2]
SEED = 5
AS_PROCESS = 50  # one trial in so many is a process of its own, as DVC would start it
PAGE = b"<!DOCTYPE html>\n<title>Log in</title>\n"

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES

Random = np.random.Generator
T = TypeVar("T")


@dataclass
class Source:
    """A data set about to be fetched.

    Attributes
    ----------
    data : Digits
        What it should be.
    served : bool
        On the server, not in a folder.
    files : dict of str to bytes
        By name, as they are stored: gzipped or not.
    answers : dict of str to Answer or list of Answer
        What the server gives in place of a file.
    checked : bool
        Whether params.yaml has the checksums.
    most_bytes : int, optional
        What the disk takes of any file.
    hurried : dict of str to float
        Settings of `network` that would make the trial long.
    """

    data: Digits
    served: bool
    files: dict[str, bytes]
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    checked: bool = True
    most_bytes: int | None = None
    hurried: dict[str, float] = field(default_factory=dict)


class Ended(NamedTuple):
    """How a stage ended: its exit code, and what it said of faults; None and a traceback where it did not end well."""

    code: int | None
    errors: str


Fault = Callable[[Random, Source], None]


def _one(random: Random, items: Iterable[T]) -> T:
    among = list(items)
    return among[random.integers(len(among))]


# Of a file as it is stored


def _stored(change: Callable[[Random, bytes], bytes]) -> Fault:
    def fault(random: Random, source: Source) -> None:
        name = _one(random, source.files)
        source.files[name] = change(random, source.files[name])

    return fault


def _cut_off(random: Random, content: bytes) -> bytes:
    return content[: random.integers(len(content))]


def _byte_changed(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    changed[random.integers(len(content))] ^= int(random.integers(1, 256))
    return bytes(changed)


def _bit_changed(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    # Where headers are, as often as anywhere.
    changed[random.integers(min(len(content), random.choice([20, len(content)])))] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _zeroed(random: Random, content: bytes) -> bytes:
    start, end = sorted(random.integers(0, len(content) + 1, 2))
    return content[:start] + bytes(end - start) + content[end:]


def _doubled(random: Random, content: bytes) -> bytes:
    start, end = sorted(random.integers(0, len(content) + 1, 2))
    return content[:end] + content[start:]


def _lengthened(random: Random, content: bytes) -> bytes:
    return content + bytes([random.integers(1, 256)]) + random.bytes(int(random.integers(40)))


def _noise(random: Random, content: bytes) -> bytes:
    return random.bytes(int(random.integers(1, 2 * len(content))))


def _swapped(random: Random, source: Source) -> None:
    one, other = (str(name) for name in random.choice(list(source.files), 2, replace=False))
    source.files[one], source.files[other] = source.files[other], source.files[one]


def _missing(random: Random, source: Source) -> None:
    del source.files[_one(random, source.files)]


# Of a file's content, faultlessly compressed


def _content(change: Callable[[Random, dict[str, bytes]], None]) -> Fault:
    def fault(random: Random, source: Source) -> None:
        contents = source.data.files()
        change(random, contents)
        packed = all(name.endswith(".gz") for name in source.files)
        source.files = gzipped(contents) if packed else contents

    return fault


def _value_changed(random: Random, contents: dict[str, bytes]) -> None:
    name = _one(random, NAMES)
    header = 16 if "images" in name else 8
    contents[name] = contents[name][:header] + _byte_changed(random, contents[name][header:])


def _header_changed(random: Random, contents: dict[str, bytes]) -> None:
    name = _one(random, NAMES)
    numbers = list(struct.unpack_from(">4I" if "images" in name else ">2I", contents[name]))
    place = random.integers(len(numbers))
    near = max(0, numbers[place] + int(random.choice([-1, 1])))
    numbers[place] = _one(random, [near, 0, 2 * numbers[place], 2**31, int(random.integers(2**32))])
    header = struct.pack(f">{len(numbers)}I", *numbers)
    contents[name] = header + contents[name][len(header) :]


def _rows_less(random: Random, contents: dict[str, bytes]) -> None:
    data = digits(rows=40, side=8, train_rows=30)
    name = _one(random, NAMES)
    contents[name] = idx_images(data.images[:7]) if "images" in name else idx_labels(data.labels[:7])


def _not_square(random: Random, contents: dict[str, bytes]) -> None:
    name = _one(random, [TRAIN_IMAGES, TEST_IMAGES])
    count, height, width = (int(side) for side in random.integers(0, 9, 3))
    if height == width:
        width += 1
    contents[name] = idx_images(np.zeros((count, height, width), np.uint8))


def _one_class(random: Random, contents: dict[str, bytes]) -> None:
    label = random.integers(256)
    for name in (TRAIN_LABELS, TEST_LABELS):
        contents[name] = idx_labels(np.full(len(contents[name]) - 8, label))


def _bomb(random: Random, source: Source) -> None:
    name = _one(random, [TRAIN_IMAGES, TEST_IMAGES])
    rows = _one(random, [2, 2_000_000])  # what is promised; the file holds more than the one, less than the other
    header = struct.pack(">4I", 0x803, rows, 28, 28)
    spelt = name if name in source.files else f"{name}.gz"
    del source.files[spelt]
    source.files[f"{name}.gz"] = gzip.compress(header + bytes(10_000_000), mtime=0)


# Of a server


def _answered(change: Callable[[Random, bytes], Answer | list[Answer]]) -> Fault:
    def fault(random: Random, source: Source) -> None:
        name = _one(random, source.files)
        source.answers[name] = change(random, source.files[name])

    return fault


def _framing(random: Random) -> str:
    return _one(random, ["length", "chunks", "end"])


def _broken_off(random: Random, content: bytes) -> Answer:
    return Answer(content, framing=_framing(random), cut=int(random.integers(len(content))))


def _reset(random: Random, content: bytes) -> Answer:
    return Answer(content, framing=_framing(random), cut=int(random.integers(len(content))), reset=True)


def _wrong_length(random: Random, content: bytes) -> Answer:
    lengths = [0, len(content) - 1, len(content) + 1, int(random.integers(2 * len(content)))]
    return Answer(content, headers={"Content-Length": str(_one(random, lengths))})


def _status(random: Random, content: bytes) -> Answer:
    return Answer(PAGE, status=_one(random, [204, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503, 504]))


def _page(random: Random, content: bytes) -> Answer:
    headers = {"Content-Type": "text/html"} if random.random() < 0.5 else {}
    return Answer(PAGE, headers=headers, framing=_framing(random))


def _pointed_elsewhere(random: Random, content: bytes) -> Answer:
    places = ["ftp://127.0.0.1/", "file:///etc/hostname", "http://127.0.0.1:1/", "?again", "//", "http://"]
    return Answer(status=302, headers={"Location": _one(random, places)})


def _busy(random: Random, content: bytes) -> list[Answer]:
    busy = [Answer(status=_one(random, [429, 500, 503])) for _ in range(random.integers(1, 4))]
    return [*busy, Answer(content, framing=_framing(random))]


def _silent(random: Random, source: Source) -> None:
    source.hurried = {"SECONDS_OF_SILENCE": 0.1}
    _answered(lambda random, content: Answer(content, silent=True))(random, source)


def _slow(random: Random, source: Source) -> None:
    source.hurried = {"SECONDS_OF_PATIENCE": 0.1}
    _answered(lambda random, content: Answer(content, framing=_framing(random), seconds_a_byte=0.02))(random, source)


# Of the disk, and none


def _disk_full(random: Random, source: Source) -> None:
    source.most_bytes = int(random.integers(max(map(len, source.files.values())) + 200))


def _none(random: Random, source: Source) -> None:
    pass


ANYWHERE: dict[str, Fault] = {
    "no fault": _none,
    "cut off": _stored(_cut_off),
    "a byte changed": _stored(_byte_changed),
    "a bit changed": _stored(_bit_changed),
    "a stretch of zeros": _stored(_zeroed),
    "a stretch doubled": _stored(_doubled),
    "more at the end": _stored(_lengthened),
    "emptied": _stored(lambda random, content: b""),
    "a web page in its place": _stored(lambda random, content: PAGE),
    "noise in its place": _stored(_noise),
    "another in its place": _swapped,
    "missing": _missing,
    "a value changed": _content(_value_changed),
    "a number of the header changed": _content(_header_changed),
    "fewer images or labels": _content(_rows_less),
    "images empty or not square": _content(_not_square),
    "one class": _content(_one_class),
    "a gzip bomb": _bomb,
    "disk full": _disk_full,
}
SERVED: dict[str, Fault] = {
    "broken off": _answered(_broken_off),
    "connection reset": _answered(_reset),
    "another Content-Length": _answered(_wrong_length),
    "another status": _answered(_status),
    "a web page with status 200": _answered(_page),
    "pointed elsewhere": _answered(_pointed_elsewhere),
    "busy at first": _answered(_busy),
    "silent": _silent,
    "slow": _slow,
}
FAULTS = ANYWHERE | SERVED
# Nothing is wrong, or not for long: these must be fetched.
SOUND = ("no fault", "busy at first")
# What only a checksum can tell from data that are meant so.
NEED_CHECKSUMS = (
    *("a byte changed", "a bit changed", "a stretch of zeros", "a stretch doubled", "another in its place"),
    *("a value changed", "one class", "fewer images or labels"),
)


def campaign(trials: int) -> dict[str, Any]:
    """Fetch small data sets, each with a fault, the same ones every time.

    Parameters
    ----------
    trials : int
        How many; the faults take turns.

    Returns
    -------
    dict
        trials, of_a_server, as_processes: counts; refused, right: fault -> how many ended in a sentence, and how many
        in exactly the data that are meant; `went_wrong`, a text for each that did neither, or left something behind.
    """
    refused: Counter[str] = Counter()
    right: Counter[str] = Counter()
    of_a_server = as_processes = 0
    wrong = []
    kinds = list(FAULTS)
    with (
        tempfile.TemporaryDirectory(prefix="data-") as folder,
        Loopback() as site,
        progress("data", trials, "trials") as advance,
        _without_waiting(),
    ):
        for number in range(trials):
            kind = kinds[number % len(kinds)]
            random = np.random.default_rng([SEED, number])
            source = _source(random, kind)
            apart = number % AS_PROCESS == AS_PROCESS - 1 and not source.hurried
            of_a_server += source.served
            as_processes += apart
            trial = Path(folder) / str(number)
            outcome = _trial(random, source, trial, site, apart)
            if outcome == "right":
                right[kind] += 1
            elif outcome == "refused" and kind not in SOUND:
                refused[kind] += 1
            else:
                wrong.append(f"trial {number}, {kind}: {outcome}")
            advance(1)
    return {
        "trials": trials,
        "of_a_server": of_a_server,
        "as_processes": as_processes,
        "refused": dict(refused),
        "right": dict(right),
        "went_wrong": wrong,
    }


def _source(random: Random, kind: str) -> Source:
    rows, side, classes = (int(random.integers(*between)) for between in ((20, 60), (4, 13), (2, 11)))
    data = digits(rows, side, classes, train_rows=rows - 10, seed=int(random.integers(1000)))
    files = data.files()
    source = Source(
        data=data,
        served=kind in SERVED or random.random() < 0.5,
        files=gzipped(files) if random.random() < 0.5 else files,
        checked=kind in NEED_CHECKSUMS or random.random() < 0.5,
    )
    FAULTS[kind](random, source)
    return source


def _trial(random: Random, source: Source, folder: Path, site: Loopback, apart: bool) -> str:
    """Fetch from a source into a folder; return "right", "refused", or what is wrong."""
    temporary, work = folder / "temporary", folder / "work"
    temporary.mkdir(parents=True)
    work.mkdir()
    if source.served:
        site.answers = {}
        address = site.serve(folder.name, source.files)
        site.answers |= {f"/{folder.name}/{name}": answer for name, answer in source.answers.items()}
    else:
        address = str(write(folder / "source", source.files))
    wanted: dict[str, Any] = {"source": address}
    if source.checked:
        wanted["sha256"] = {
            key: sha256(getattr(source.data, key).tobytes()).hexdigest() for key in ("images", "labels")
        }
    # JSON is YAML.
    (work / "params.yaml").write_text(json.dumps({"fetch": wanted}))
    before: dict[str, bytes] = {}
    if random.random() < 0.5:
        before = {"images.npy": b"older", "labels.npy": b"than", "division.json": b"these"}
        write(work / RAW, before)

    ended = (_as_process if apart else _here)(source, work, temporary)

    after = {path.name: path.read_bytes() for path in sorted((work / RAW).glob("*"))}
    if ended.code is None:
        return ended.errors
    if left := [path.name for path in temporary.iterdir()]:
        return f"leaves {', '.join(left)} in the temporary folder"
    if ended.code == 0:
        return "right" if after == _meant(source.data) else "other data are written"
    if after != before:
        return "data/raw has changed"
    lines = ended.errors.splitlines()
    # A line for the images' checksum and one for the labels'.
    if ended.code != 1 or not 1 <= len(lines) <= 2 or not all(len(line) > 20 for line in lines):
        return f"ends with code {ended.code} and says {ended.errors!r}"
    return "refused"


def _meant(data: Digits) -> dict[str, bytes]:
    """Return the files of data/raw for a data set."""
    files = {}
    for name, array in (("images", data.images), ("labels", data.labels)):
        stream = io.BytesIO()
        np.save(stream, array)
        files[f"{name}.npy"] = stream.getvalue()
    division = {"rows": len(data.labels), "train_rows": data.train_rows}
    return {**files, "division.json": json.dumps(division, indent=2).encode() + b"\n"}


def _here(source: Source, work: Path, temporary: Path) -> Ended:
    """Run the stage in this process."""
    with contextlib.chdir(work), contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as settings:
        settings.enter_context(_set(tempfile, tempdir=str(temporary)))
        settings.enter_context(_set(network, **source.hurried))
        if source.most_bytes is not None:
            settings.enter_context(_file_size(source.most_bytes))
        try:
            fetch()
        except UserError as error:
            return Ended(1, str(error))
        except Exception:
            return Ended(None, traceback.format_exc())
    return Ended(0, "")


def _as_process(source: Source, work: Path, temporary: Path) -> Ended:
    """Run the stage as DVC does."""
    with contextlib.ExitStack() as settings:
        if source.most_bytes is not None:
            settings.enter_context(_file_size(source.most_bytes))
        ran = subprocess.run(
            # Bytecode would be a file to write, too.
            [sys.executable, "-B", "-m", "stages.fetch"],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
        )
    if "Traceback" in ran.stderr:
        return Ended(None, ran.stderr)
    return Ended(ran.returncode, ran.stderr)


@contextlib.contextmanager
def _without_waiting() -> Iterator[None]:
    """Ask servers again at once, and past any proxy."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        with _set(download, BACKOFF=0.0):
            yield
    finally:
        if before is None:
            del os.environ["NO_PROXY"]
        else:
            os.environ["NO_PROXY"] = before


@contextlib.contextmanager
def _set(module: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


@contextlib.contextmanager
def _file_size(most: int) -> Iterator[None]:
    """Let no file grow beyond a number of bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
