"""Campaign: random edits of params.yaml end in models that can be trained, or in one-line error messages."""

import contextlib
import copy
import difflib
import io
import re
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from stages.check_params.classes import check_classes, read_definitions
from stages.check_params.structure import check_structure
from stages.shared.errors import UserError
from stages.shared.files.paths import SCHEMA
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import PARAMS, plain, read
from stages.shared.process.console import progress

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "tests" / "fixtures" / "params.yaml"

ACCEPTED, REFUSED, FAILED = "accepted", "refused", "failed"
MESSAGE = re.compile(r"params\.yaml(, line \d+)?:? \S.*")

ROWS, CLASSES, IMAGE_SIZE = 50_400, 10, (28, 28)  # the training rows of the default split; pixels

# Words that mean something somewhere in the file, or nearly.
WORDS = """
    classes steps official openml image coefficients softmax relu sigmoid same valid float32 mixed_bfloat16 fourier
    Dense Conv2D Flatten Lambda LSTM Add Adam SGD CosineDecay L1 SVC GaussianNB VotingClassifier zeros l2 scale rbf
    class name inputs layers epochs units kernel_size learning_rate random_state n_jobs dtype activation estimator
    on off yes no NaN .nan .inf 1e-3 0x1F 2026-01-01 a.b a/b 007 -x ${nets} *a &b !!int <<
""".split()  # noqa: SIM905
# None between 300 and 2^31: a net of a million units is within bounds, but takes time and memory to build.
NUMBERS = st.integers(-3, 300) | st.sampled_from([2**31, 2**32, 2**63, -(2**31), 10**30]) | st.floats(width=32)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=8)
KEYS = st.sampled_from(WORDS) | st.text(max_size=5) | st.integers(0, 9) | st.none() | st.booleans()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)
LINES = st.sampled_from(["", "  a: 1", "nets:", "    epochs: 3", "\t", "---", "- x", "? y", "}", "  : :", "%YAML 1.1"])

Check = Callable[[CommentedMap], object]


class Outcome(NamedTuple):
    """How a check of params.yaml ended.

    Attributes
    ----------
    kind : str
        "accepted"; "refused", with one-line messages that name the file; or "failed", in any other way.
    text : str
        The messages or the traceback.
    """

    kind: str
    text: str


def campaign(n: int) -> dict[str, Any]:
    """Check n random edits of the notebook's params.yaml.

    Returns
    -------
    dict
        edits, accepted, refused: counts; `went_wrong`, texts: each edit that ended otherwise, and how.
    """
    start_tensorflow()
    default = NOTEBOOK.read_text(encoding="utf-8")
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    check = make_check()

    with TemporaryDirectory() as folder, progress("params", n, "edits") as advance:

        @settings(
            max_examples=n,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(edited(default))
        def check_edit(text: str) -> None:
            kind, messages = outcome(text, Path(folder), check)
            counts[kind] += 1
            advance(1)
            if kind == FAILED:
                edit = list(difflib.unified_diff(default.splitlines(), text.splitlines(), n=0, lineterm=""))
                wrong.append(f"{messages.strip()}; after the edit {' | '.join(edit[2:])}")

        check_edit()
    return {"edits": counts.total(), ACCEPTED: counts[ACCEPTED], REFUSED: counts[REFUSED], "went_wrong": wrong}


def outcome(text: str, folder: Path, check: Check) -> Outcome:
    """Write a params.yaml into a folder, and check it as a stage does."""
    with contextlib.chdir(folder):
        PARAMS.write_text(text, encoding="utf-8")
        try:
            content = read()
            with line_numbers(content):
                check(content)
        except UserError as error:
            messages = str(error)
            clear = messages and all(MESSAGE.fullmatch(line) for line in messages.splitlines())
            return Outcome(REFUSED if clear else FAILED, messages)
        except Exception:
            return Outcome(FAILED, traceback.format_exc())
    return Outcome(ACCEPTED, "")


def make_check() -> Check:
    """Return a check of the whole file, as in check-params and check-models, for MNIST's images.

    It skips the models that have passed before with the same declaration.
    """
    import keras

    from stages.shared.trials.try_models import check_models

    definitions = read_definitions(ROOT / SCHEMA)
    passed: set[str] = set()

    def check(content: CommentedMap) -> None:
        params = check_structure(content)
        check_classes(plain(content), definitions)
        seed, pictures = params.training.seed, params.pictures.weights
        models = params.baselines.root | params.nets.root
        new = {name: repr((name, model, pictures.get(name))) for name, model in models.items()}
        new = {name: declaration for name, declaration in new.items() if declaration not in passed}
        baselines = {name: model for name, model in params.baselines.root.items() if name in new}
        nets = {name: model for name, model in params.nets.root.items() if name in new}
        keras.backend.clear_session()
        check_models(baselines, nets, pictures, rows=ROWS, image_size=IMAGE_SIZE, classes=CLASSES, seed=seed)
        passed.update(new.values())

    return check


@st.composite
def edited(draw: st.DrawFn, default: str) -> str:
    """Change the text of a params.yaml in one to three places, as data or as text."""
    text = default
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        text = draw(st.sampled_from([_entry, _entry, _entry, _line, _characters]))(draw, text)
    return text


def _entry(draw: st.DrawFn, text: str) -> str:
    """Change one entry of a mapping or list."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
        entries = _entries(content)
    except Exception:  # an earlier edit has broken the file
        return text
    if not entries:
        return text
    change = draw(st.sampled_from(["number", "number", "number", "word", "other", "delete", "rename", "copy", "move"]))
    kinds: tuple[type, ...] = {"number": (int, float), "word": (str,)}.get(change, (object,))
    holder, key = draw(st.sampled_from([each for each in entries if isinstance(each[0][each[1]], kinds)] or entries))
    old = copy.deepcopy(holder[key])
    match change:
        case "number" if isinstance(old, bool):
            holder[key] = not old
        case "number":
            likely = st.floats(0, 2) if isinstance(old, float) else st.integers(1, 100)
            holder[key] = draw(draw(st.sampled_from([likely, NUMBERS])))
        case "word":
            holder[key] = draw(st.sampled_from(WORDS))
        case "other":
            holder[key] = draw(VALUES)
        case "delete":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            name = draw(KEYS | st.just(str(key)[:-1]))
            renamed = {name if each == key else each: value for each, value in holder.items()}
            holder.clear()
            holder.update(renamed)
        case "copy" | "move" as how:
            if how == "move":
                del holder[key]
            mappings = [inner[name] for inner, name in _entries(content) if isinstance(inner[name], dict)]
            draw(st.sampled_from(mappings or [{}]))[key] = old
    yaml, stream = YAML(typ="safe"), io.StringIO()
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the order of layers matters
    yaml.dump(content, stream)
    return stream.getvalue()


def _entries(value: Any) -> list[tuple[Any, Any]]:
    """List all entries, nested ones too, as (mapping, key) or (list, index)."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [entry for key in keys for entry in [(value, key), *_entries(value[key])]]


def _line(draw: st.DrawFn, text: str) -> str:
    """Delete, repeat, indent, swap or replace a line."""
    lines = text.splitlines() or [""]
    number, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    match draw(st.sampled_from(["delete", "repeat", "indent", "swap", "replace"])):
        case "delete":
            del lines[number]
        case "repeat":
            lines.insert(other, lines[number])
        case "indent":
            lines[number] = f" {lines[number]}"
        case "swap":
            lines[number], lines[other] = lines[other], lines[number]
        case "replace":
            lines[number] = draw(LINES)
    return "\n".join(lines) + "\n"


def _characters(draw: st.DrawFn, text: str) -> str:
    """Replace up to four characters by others."""
    start = draw(st.integers(0, len(text)))
    end = start + draw(st.integers(0, 4))
    return text[:start] + draw(st.text(max_size=4) | st.sampled_from(WORDS)) + text[end:]
