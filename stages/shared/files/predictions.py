"""Predictions of a trained model for the validation and test images, and facts about its training."""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.array_archives import reading_arrays, save_arrays
from stages.shared.files.paths import FACTS, PREDICTIONS
from stages.shared.files.text_files import load_json, save_json

ScoreKind = Literal["probability", "decision", "none"]


class Predictions(NamedTuple):
    """Predictions of a model for one set of images.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        Predicted class codes.
    scores : ndarray of float32, shape (n, classes) or (n, 0)
        Probabilities or decision values; no columns if the model has neither.
    kind : {"probability", "decision", "none"}
        Kind of the scores.
    """

    codes: NDArray[np.int64]
    scores: NDArray[np.float32]
    kind: ScoreKind


def save_predictions(name: str, validation: Predictions, test: Predictions) -> None:
    """Write the predictions of a model."""
    save_arrays(
        PREDICTIONS.path(name),
        validation_codes=validation.codes,
        validation_scores=validation.scores,
        test_codes=test.codes,
        test_scores=test.scores,
        kind=np.array(test.kind),
    )


def load_predictions(name: str, of: Literal["validation", "test"]) -> Predictions:
    """Read the predictions of a model for one set.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    with reading_arrays(PREDICTIONS.path(name)) as arrays:
        codes, scores, kind = arrays[f"{of}_codes"], arrays[f"{of}_scores"], str(arrays["kind"])
        if kind not in get_args(ScoreKind):
            raise ValueError(f"unknown kind of scores '{kind[:20]}'")
        return Predictions(codes, scores, kind)  # type: ignore[arg-type]


def save_facts(name: str, facts: dict[str, Any]) -> None:
    """Write facts about the training of a model, sorted by key.

    Parameters
    ----------
    name : str
        Name of the model.
    facts : dict
        `parameters` (int, or None if the model has no fixed number), `train_accuracy` (0-1),
        `train_rows_judged` (int), for a net also `epochs` and `best_epoch` (int).
    """
    save_json(FACTS.path(name), dict(sorted(facts.items())), decimals=None)


def load_facts(name: str) -> dict[str, Any]:
    """Read facts about the training of a model, as in `save_facts`.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    facts: dict[str, Any] = load_json(FACTS.path(name), "parameters", "train_accuracy")
    return facts
