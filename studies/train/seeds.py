"""Trains what one seed of a study lacks, and writes its table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.shared.process.console import say
from studies.files import save_results
from studies.train.data import Data, test_accuracies
from studies.trainings import Training, described


def train_seed(
    study: str,
    path: Path,
    trainings: Sequence[Training],
    keys: Sequence[str],
    earlier: Mapping[str, Mapping[str, Any]],
    data: Data,
    threads: int,
) -> None:
    """Train models and write the table of all; if one fails, that of those that have ended.

    Parameters
    ----------
    study : str
        Its name, for console output.
    path : Path
        The table.
    trainings, keys : sequence of Training, sequence of str
        In the order of the plan, and what the result of each depends on, as a hash.
    earlier : mapping of str to mapping
        Key -> facts that still hold.
    data : Data
        The split.
    threads : int
        Number of processor cores; those of TensorFlow have been set.

    Raises
    ------
    UserError
        A model cannot be trained.
    """
    from studies.train.models import train_model  # here, because it imports TensorFlow

    new = [(key, each) for key, each in zip(keys, trainings, strict=True) if key not in earlier]
    results: dict[str, Any] = {}
    codes = {}
    try:
        for done, (key, each) in enumerate(new, 1):
            facts, codes[key] = train_model(each.model, each.declaration, each.rows, each.seed, data, threads)
            results[key] = facts
            say(f"{study}: {done} of {len(new)}: {described(each, facts)}")
    finally:
        for key, accuracy in test_accuracies(codes).items():
            results[key]["test_accuracy"] = accuracy
        save_results(path, trainings, keys, {**earlier, **results})
