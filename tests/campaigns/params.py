"""Campaign: random edits of params.yaml end in models that can be trained, or in clear sentences."""

import difflib
import io
import re
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from stages.check_params.structure import Params, check_structure
from stages.shared.errors import UserError
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import PARAMS, read
from stages.shared.process.console import progress

ROOT = Path(__file__).resolve().parents[2]

ACCEPTED, REFUSED, FAILED = "accepted", "refused", "failed"

IMAGE_SIZE = (28, 28)  # pixels
CLASSES = 10
ROWS = 50_400  # to train on

# Words that mean something somewhere in the file, or nearly.
WORDS = """
    classes steps official openml image coefficients softmax relu sigmoid same valid float32 mixed_bfloat16 fourier
    Dense Conv2D Flatten Lambda LSTM Add Adam SGD CosineDecay L1 SVC GaussianNB VotingClassifier zeros l2 scale rbf
    class name inputs layers epochs units kernel_size learning_rate random_state n_jobs dtype activation estimator
    on off yes no NaN .nan .inf 1e-3 0x1F 2026-01-01 a.b a/b 007 -x ${nets} *a &b !!int <<
""".split()  # noqa: SIM905
# None between: a net of a million units is a mistake of its own, which takes its time and memory to be made.
NUMBERS = st.integers(-3, 300) | st.sampled_from([2**31, 2**32, 2**63, -(2**31), 10**30]) | st.floats(width=32)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=8)
KEYS = st.sampled_from(WORDS) | st.text(max_size=5) | st.integers(0, 9) | st.none() | st.booleans()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)
LINES = st.sampled_from(["", "  a: 1", "nets:", "    epochs: 3", "\t", "---", "- x", "? y", "}", "  : :", "%YAML 1.1"])


class Outcome(NamedTuple):
    """What an edited file ended in.

    Attributes
    ----------
    kind : str
        "accepted", "refused" or "failed": anything but a clear sentence a line.
    text : str
        The sentences, or the traceback.
    """

    kind: str
    text: str


@st.composite
def edited(draw: st.DrawFn, default: str) -> str:
    """Change the text of a params.yaml in one to three random places, as data or as text."""
    text = default
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        change = draw(st.sampled_from([_scalar, _scalar, _scalar, _value, _delete, _rename, _move, _line, _characters]))
        text = change(draw, text)
    return text


def outcome(text: str, folder: Path, passed: set[str] | None = None, *, structure_only: bool = False) -> Outcome:
    """Check a params.yaml as the stages check-params and check-models do, for MNIST's images and classes.

    Parameters
    ----------
    text : str
        The file.
    folder : Path
        Where it is written.
    passed : set of str, optional
        Declarations of models that passed before, which need no second look; those that pass now are added.
    structure_only : bool
        Whether keys and values are all that is checked.
    """
    path = folder / PARAMS.name
    path.write_text(text, encoding="utf-8")
    try:
        content = read(path)
        with line_numbers(content):
            params = check_structure(content)
        if not structure_only:
            _check_models(content, params, set() if passed is None else passed)
    except UserError as error:
        said = str(error).replace(str(path), PARAMS.name)
        lines = said.splitlines()
        clear = lines and all(re.match(rf"{re.escape(PARAMS.name)}(, line \d+)?:? \S", line) for line in lines)
        return Outcome(REFUSED if clear else FAILED, said)
    except Exception:
        return Outcome(FAILED, traceback.format_exc())
    return Outcome(ACCEPTED, "")


def campaign(edits: int) -> dict[str, Any]:
    """Edit the default params.yaml at random, the same way every time, and count what came of it.

    Parameters
    ----------
    edits : int
        How many.

    Returns
    -------
    dict
        edits, accepted, refused: counts; `went_wrong`, texts: each edit that ended otherwise, and in what.
    """
    start_tensorflow()
    default = (ROOT / PARAMS).read_text(encoding="utf-8")
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    passed: set[str] = set()

    with TemporaryDirectory() as folder, progress("params", edits, "edits") as advance:

        @settings(
            max_examples=edits,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(edited(default))
        def run(text: str) -> None:
            kind, said = outcome(text, Path(folder), passed)
            counts[kind] += 1
            advance(1)
            if kind == FAILED:
                edit = difflib.unified_diff(default.splitlines(), text.splitlines(), n=0, lineterm="")
                wrong.append(f"{said.strip()}; after the edit {' | '.join(list(edit)[2:])}")

        run()
    return {
        "edits": counts.total(),
        **{kind: counts[kind] for kind in (ACCEPTED, REFUSED)},
        "went_wrong": wrong,
    }


def _check_models(content: CommentedMap, params: Params, passed: set[str]) -> None:
    # Keras takes seconds to import, which the check of the structure need not wait for.
    import keras

    from stages.check_models.fitting_data import check_models
    from stages.check_params.classes import check_classes

    baselines, nets = params.baselines.root, params.nets.root
    seed, pictures = params.training.seed, params.pictures.weights
    declared = {name: repr((name, model, pictures.get(name))) for name, model in (baselines | nets).items()}
    baselines = {name: each for name, each in baselines.items() if declared[name] not in passed}
    nets = {name: each for name, each in nets.items() if declared[name] not in passed}
    keras.backend.clear_session()
    with line_numbers(content):
        check_classes(baselines, nets, seed)
        check_models(baselines, nets, pictures, rows=ROWS, image_size=IMAGE_SIZE, classes=CLASSES, seed=seed)
    passed.update(declared.values())


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the keys from the top down to every entry, of mappings and lists."""
    if isinstance(value, Mapping):
        entries = list(value.items())
    else:
        entries = list(enumerate(value)) if isinstance(value, list) else []
    return [place for key, item in entries for place in [(*above, key), *_places(item, (*above, key))]]


def _at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


def _loaded(draw: st.DrawFn, text: str) -> tuple[Any, tuple[Any, ...]] | None:
    """Parse the file and choose an entry; None where that is no longer possible."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
        places = _places(content)
    except Exception:  # what an earlier edit left of the file
        return None
    return (content, draw(st.sampled_from(places))) if places else None


def _written(content: Any) -> str:
    yaml, stream = YAML(typ="safe"), io.StringIO()
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the order of layers means something
    yaml.dump(content, stream)
    return stream.getvalue()


def _value(draw: st.DrawFn, text: str) -> str:
    """Put another value in place of one."""
    if (found := _loaded(draw, text)) is None:
        return text
    content, place = found
    _at(content, place[:-1])[place[-1]] = draw(VALUES)
    return _written(content)


def _scalar(draw: st.DrawFn, text: str) -> str:
    """Put another number in place of a number, another word in place of a word."""
    if (found := _loaded(draw, text)) is None:
        return text
    content, place = found
    old = _at(content, place)
    match old:
        case dict() | list() | None:
            return text
        case bool():
            new: Any = not old
        case int():
            new = draw(NUMBERS)
        case float():
            new = draw(st.floats(0, 2) | NUMBERS)
        case _:
            new = draw(st.sampled_from(WORDS))
    _at(content, place[:-1])[place[-1]] = new
    return _written(content)


def _delete(draw: st.DrawFn, text: str) -> str:
    """Take out an entry."""
    if (found := _loaded(draw, text)) is None:
        return text
    content, place = found
    del _at(content, place[:-1])[place[-1]]
    return _written(content)


def _rename(draw: st.DrawFn, text: str) -> str:
    """Give a key another name: a word, or its own with a letter less."""
    if (found := _loaded(draw, text)) is None:
        return text
    content, place = found
    holder, key = _at(content, place[:-1]), place[-1]
    if isinstance(holder, list):
        return text
    name = draw(KEYS | st.just(str(key)[:-1]))
    renamed = {name if each == key else each: item for each, item in holder.items()}
    holder.clear()
    holder.update(renamed)
    return _written(content)


def _move(draw: st.DrawFn, text: str) -> str:
    """Copy an entry, or move it, to another place."""
    if (found := _loaded(draw, text)) is None:
        return text
    content, place = found
    item = _at(content, place)
    if draw(st.booleans()):
        del _at(content, place[:-1])[place[-1]]
    mappings = [each for each in _places(content) if isinstance(_at(content, each), dict)]
    if mappings:
        target = _at(content, draw(st.sampled_from(mappings)))
        # No mapping into itself: YAML can say that, a person cannot.
        target[place[-1]] = YAML(typ="safe", pure=True).load(_written({"copy": item}))["copy"]
    return _written(content)


def _line(draw: st.DrawFn, text: str) -> str:
    """Delete, double, indent, swap or replace a line."""
    lines = text.splitlines()
    if not lines:
        return text
    number = draw(st.integers(0, len(lines) - 1))
    other = draw(st.integers(0, len(lines) - 1))
    match draw(st.sampled_from(["delete", "double", "indent", "swap", "replace"])):
        case "delete":
            del lines[number]
        case "double":
            lines.insert(other, lines[number])
        case "indent":
            lines[number] = f" {lines[number]}"
        case "swap":
            lines[number], lines[other] = lines[other], lines[number]
        case "replace":
            lines[number] = draw(LINES)
    return "\n".join(lines) + "\n"


def _characters(draw: st.DrawFn, text: str) -> str:
    """Put a few characters in place of a few."""
    start = draw(st.integers(0, len(text)))
    length = draw(st.integers(0, 4))
    return text[:start] + draw(st.text(max_size=4) | st.sampled_from(WORDS)) + text[start + length :]
