"""The rule that decides claims of the form "the first setting is better", and its result as a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studies.judge.statistics import LEVEL, Comparison, Summary, holm

Verdict = Literal["supported", "contradicted", "equal", "undecided"]


def fewest_seeds(claims: int = 1) -> int:
    """Return the fewest seeds that can decide: the smallest p of n sign flips is 2 / 2^n, and Holm multiplies it."""
    return math.ceil(math.log2(2 * claims / LEVEL))


@dataclass(frozen=True)
class Decision:
    """Verdict on the claim that the first setting is better, its reason, and the p-value that decides, after Holm."""

    comparison: Comparison
    verdict: Verdict
    reason: str
    p: float | None
    claims: int


def decide(comparisons: Sequence[Comparison]) -> list[Decision]:
    """Decide all claims of one study, each "the first setting is better than the second".

    A claim is supported, or contradicted, if the interval excludes 0 and the sign-flip test is significant after
    Holm's adjustment for the number of claims. The settings are equal, whichever is better, if the interval lies
    within the margin and so say sign-flip tests against the margin. Fewer than 6 seeds decide nothing.
    """
    p_values = holm([1.0 if one.p is None else one.p for one in comparisons])
    p_equals = holm([1.0 if one.p_equal is None else one.p_equal for one in comparisons])
    decisions = []
    for one, p, p_equal in zip(comparisons, p_values, p_equals, strict=True):
        verdict, reason = _verdict(one, p, p_equal, len(comparisons))
        deciding = None if one.p is None else p_equal if verdict == "equal" else p
        decisions.append(Decision(one, verdict, reason, deciding, len(comparisons)))
    return decisions


def _verdict(one: Comparison, p: float, p_equal: float, claims: int) -> tuple[Verdict, str]:
    needed = fewest_seeds(claims)
    too_few = f"{one.n} seed{'s describe' if one.n > 1 else ' describes'}, {needed} are needed to decide"
    too_few += f" {claims} claims" if claims > 1 else ""
    if one.n < fewest_seeds() or one.low is None or one.high is None:
        return "undecided", too_few
    if one.margin is not None and -one.margin < one.low and one.high < one.margin and p_equal <= LEVEL:
        return "equal", "the interval lies within the margin"
    excludes_zero = one.low > 0 or one.high < 0
    if excludes_zero and p <= LEVEL:
        verdict: Verdict = "supported" if (one.low > 0) == one.higher_is_better else "contradicted"
        return verdict, f"the interval excludes 0 and p is at most {LEVEL}"
    if one.n < needed:
        return "undecided", too_few
    reasons = [*([] if excludes_zero else ["the interval contains 0"]), *([f"p is above {LEVEL}"] if p > LEVEL else [])]
    return "undecided", " and ".join(reasons)


@dataclass(frozen=True)
class Measure:
    """How to write a measure: values times `scale`, with `decimals`; units; which words compare two of them."""

    unit: str = " %"
    difference_unit: str = " points"
    scale: float = 100.0  # accuracies are shares, 0-1
    decimals: int = 2
    better: str = "better"
    worse: str = "worse"

    def number(self, value: float) -> str:
        """Write a value without its unit."""
        return f"{value * self.scale:z,.{self.decimals}f}"


def describe(summary: Summary, measure: Measure) -> str:
    """Write a summary: "97.91 % (SD 0.12, 95 % interval 97.79 to 98.03, 6 seeds)"."""
    mean = measure.number(summary.mean) + measure.unit
    if summary.sd is None or summary.low is None or summary.high is None:
        return f"{mean} (one seed, which has neither SD nor interval)"
    sd, low, high = (measure.number(value) for value in (summary.sd, summary.low, summary.high))
    return f"{mean} (SD {sd}, 95 % interval {low} to {high}, {summary.n} seeds)"


def sentence(decision: Decision, first: str, second: str, measure: Measure, verb: str = "is") -> str:
    """Write a decision in plain English, in the direction in which the means differ.

    Parameters
    ----------
    decision : Decision
        As `decide` returns it.
    first, second : str
        The settings: "1,024 hidden units", "48".
    measure : Measure
        Of the values that were compared.
    verb : str
        "is" or "are", as `first` needs it.
    """
    one = decision.comparison
    ahead = one.difference == 0 or (one.difference > 0) == one.higher_is_better
    word = measure.better if ahead else measure.worse
    sign = 1 if one.difference >= 0 else -1
    size = measure.number(sign * one.difference) + measure.difference_unit
    seeds = one.better if ahead else one.n - one.better - one.tied
    won = f"{word} with {seeds} of {one.n} seed{'s' if one.n > 1 else ''}"
    details = [won + (f", equal with {one.tied}" if one.tied else "")]
    if decision.p is not None and one.low is not None and one.high is not None:
        low, high = sorted((sign * one.low, sign * one.high))
        p = "p < 0.001" if decision.p < 0.001 else f"p = {decision.p:.3f}"
        holm_note = f" after Holm's adjustment for {decision.claims} claims" if decision.claims > 1 else ""
        p += " against the margin" if decision.verdict == "equal" else ""
        details = [f"95 % interval {measure.number(low)} to {measure.number(high)}", p + holm_note, *details]
    evidence = f"({', '.join(details)})"
    means = f"{first} {verb} {word} than {second} by {size}"
    if one.difference == 0:
        means = f"{first} and {second} do not differ"
    if decision.verdict == "equal" and one.margin is not None:
        within = measure.number(one.margin) + measure.difference_unit
        return f"{first} and {second} are practically equal, within {within}: on average, {means} {evidence}."
    if decision.verdict == "undecided":
        return f"On average, {means} {evidence}, but this is undecided: {decision.reason}."
    return f"{means} {evidence}."
