"""The results of a study: one table, measures over seeds, and verdicts."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
import pandas as pd

from stages.shared.errors import UserError
from studies.files import RESULTS, load_results
from studies.judge.decisions import Measure as Wording
from studies.judge.decisions import decide, sentence
from studies.judge.statistics import compare, summarise
from studies.settings import Measure, Study, level_text, sides

MEASURES: tuple[Measure, ...] = get_args(Measure)
WORDING = {measure: Wording() for measure in MEASURES} | {
    "validation_loss": Wording("", "", scale=1.0, decimals=4),
}


def results_table(name: str, seeds: Sequence[int]) -> pd.DataFrame:
    """Join the tables of all seeds; raises UserError if one is missing or damaged."""
    return pd.concat([load_results(RESULTS.path(f"{name}/{seed}")) for seed in seeds], ignore_index=True)


def factors_of(study: Study) -> list[str]:
    """Return the names of a study's factors, in the order in which they are declared."""
    return [*dict.fromkeys(factor for grid in study.grids for factor in grid.vary)]


def summaries(study: Study, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Summarise each measure over the seeds.

    Parameters
    ----------
    study : Study
        The declaration.
    table : DataFrame
        As `results_table` returns it.

    Returns
    -------
    list of dict
        One per combination of levels: `levels`, and for each measure n, mean, sd, and the 95 % interval low, high.
    """
    found = []
    texts = pd.DataFrame({factor: _texts(table[factor]) for factor in factors_of(study)})
    for levels in texts.drop_duplicates().to_dict("records"):
        rows = table[(texts == pd.Series(levels)).all(axis=1)]
        summary: dict[str, Any] = {"levels": levels}
        for measure in MEASURES:
            values = rows[measure].to_numpy(float)
            if np.isfinite(values).any():  # a classifier without probabilities has no loss
                summary[measure] = asdict(summarise(values[np.isfinite(values)]))
        found.append(summary)
    return found


def verdicts(study: Study, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Decide the claims of a study by the rule of `decisions.decide`.

    Parameters
    ----------
    study, table : Study, DataFrame
        As above.

    Returns
    -------
    list of dict
        One per claim: `claim`, `measure`, `verdict`, and a `sentence` with the numbers.
    """
    comparisons = []
    for claim in study.claims:
        first, second = (_by_seed(table, levels, claim.measure) for levels in sides(claim).values())
        if not any(np.isfinite(first[seed] - second[seed]) for seed in first.keys() & second.keys()):
            raise UserError(f"the claim '{claim.claim}': no training has a finite {claim.measure}")
        comparisons.append(
            compare(first, second, higher_is_better=claim.measure != "validation_loss", margin=claim.margin)
        )
    found = []
    for claim, decision in zip(study.claims, decide(comparisons), strict=True):
        better, than = map(_named, sides(claim).values())
        found.append(
            {
                "claim": claim.claim,
                "measure": claim.measure.replace("_", " "),
                "verdict": decision.verdict,
                "sentence": sentence(decision, better, than, WORDING[claim.measure]),
            }
        )
    return found


def _by_seed(table: pd.DataFrame, levels: dict[str, Any], measure: Measure) -> dict[int, float]:
    rows = table
    for factor, level in levels.items():
        rows = rows[_texts(rows[factor]) == level_text(level)]
    return dict(zip(rows["seed"].astype(int), rows[measure].astype(float), strict=True))


def _named(levels: dict[str, Any]) -> str:
    return ", ".join(f"{factor.rpartition('.')[2]} {level}" for factor, level in levels.items())


def _texts(levels: pd.Series) -> pd.Series:
    return levels.astype("string").fillna("")
