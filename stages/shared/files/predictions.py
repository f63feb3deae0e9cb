"""What a trained model says of the validation and test images, and the facts of its training."""

import json
import zipfile
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError
from stages.shared.files.paths import FACTS, PREDICTIONS
from stages.shared.files.whole_files import DAMAGE, replacing, require_file

ScoreKind = Literal["probability", "decision", "none"]


class Predictions(NamedTuple):
    """A model's answers for one set of images.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        Predicted class codes.
    scores : ndarray of float32, shape (n, classes)
        Probabilities or decision values; no columns where the model has neither.
    kind : {"probability", "decision", "none"}
        What the scores are.
    """

    codes: NDArray[np.int64]
    scores: NDArray[np.float32]
    kind: ScoreKind


def save_predictions(name: str, validation: Predictions, test: Predictions) -> None:
    """Write a model's predictions as models/predictions/NAME.npz."""
    with replacing(PREDICTIONS / f"{name}.npz") as temporary:
        np.savez(
            temporary,
            validation_codes=validation.codes,
            validation_scores=validation.scores,
            test_codes=test.codes,
            test_scores=test.scores,
            kind=np.array(test.kind),
        )


def load_predictions(name: str, of: Literal["validation", "test"]) -> Predictions:
    """Read a model's predictions for one set.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    path = require_file(PREDICTIONS / f"{name}.npz")
    try:
        # NumPy would leave the file open where it is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if any(info.compress_type != zipfile.ZIP_STORED for info in arrays.zip.infolist()):
                raise zipfile.BadZipFile("its arrays are compressed, as those of a stage never are")
            codes, scores, kind = arrays[f"{of}_codes"], arrays[f"{of}_scores"], str(arrays["kind"])
            if kind not in get_args(ScoreKind):
                raise ValueError(f"no kind of scores '{kind[:20]}'")
            return Predictions(codes, scores, kind)  # type: ignore[arg-type]
    except DAMAGE as error:
        raise _damaged(path, error) from error


def save_facts(name: str, facts: dict[str, Any]) -> None:
    """Write the facts of a model's training as models/facts/NAME.json.

    Parameters
    ----------
    name : str
        The model's name.
    facts : dict
        `parameters` (int, or None where the model has no fixed number), `train_accuracy` (0-1),
        `train_rows_judged` (int), for a net also `epochs` and `best_epoch` (int).
    """
    with replacing(FACTS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_facts(name: str) -> dict[str, Any]:
    """Read the facts of a model's training; raises UserError."""
    path = require_file(FACTS / f"{name}.json")
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key in ("parameters", "train_accuracy"):
            facts[key]
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return facts


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({' '.join(str(error).split())}); run 'dvc repro', which makes it again")
