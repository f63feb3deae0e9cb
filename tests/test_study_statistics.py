"""Statistics over seeds and the rule that decides claims, against published values, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm, ttest_rel

from studies.judge.decisions import Decision, Measure, Verdict, decide, describe, fewest_seeds, sentence
from studies.judge.statistics import Comparison, compare, holm, summarise

# Differences in height, in eighths of an inch, of crossed and self-fertilised maize: C. Darwin's pairs in R. A. Fisher,
# "The Design of Experiments" (1935).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

ACCURACY = Measure()
LOSS = Measure(unit=" nats", difference_unit=" nats", scale=1, decimals=3, better="lower", worse="higher")


def by_seed(values) -> dict[int, float]:
    return dict(enumerate(np.asarray(values, float).tolist()))


def compared(*differences: float, **options) -> Comparison:
    return compare(by_seed(differences), by_seed(np.zeros(len(differences))), **options)


def decided(*differences: float, **options) -> Decision:
    return decide([compared(*differences, **options)])[0]


# Summaries


def test_a_summary_has_the_values_of_the_t_distribution() -> None:
    summary = summarise([0.96, 0.97, 0.98])
    assert (summary.n, summary.mean, summary.sd) == (3, pytest.approx(0.97), pytest.approx(0.01))
    half = 4.302653 * 0.01 / math.sqrt(3)  # 97.5 % quantile of t with 2 degrees of freedom, from tables
    assert (summary.low, summary.high) == (pytest.approx(0.97 - half), pytest.approx(0.97 + half))


def test_one_seed_has_a_mean_only() -> None:
    summary = summarise([0.9791])
    assert (summary.n, summary.mean, summary.sd, summary.low, summary.high) == (1, 0.9791, None, None, None)
    assert describe(summary, ACCURACY) == "97.91 % (one seed, which has neither SD nor interval)"


def test_equal_values_have_an_interval_of_width_zero() -> None:
    summary = summarise([0.5] * 4)
    assert (summary.sd, summary.low, summary.high) == (0, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [0.9, math.nan], [0.9, math.inf]])
def test_a_summary_of_nothing_or_of_non_finite_values_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        summarise(values)


def test_the_t_interval_covers_the_mean_in_95_of_100_cases() -> None:
    random = np.random.default_rng(0)
    summaries = [summarise(random.normal(0.97, 0.002, 6)) for _ in range(2_000)]
    covered = np.mean([one.low <= 0.97 <= one.high for one in summaries if one.low is not None and one.high])
    assert abs(covered - 0.95) < 0.015  # 3 standard errors


def test_a_summary_is_described_in_the_units_of_its_measure() -> None:
    assert (
        describe(summarise([0.96, 0.97, 0.98]), ACCURACY) == "97.00 % (SD 1.00, 95 % interval 94.52 to 99.48, 3 seeds)"
    )
    assert describe(summarise([0.1, 0.2]), LOSS) == "0.150 nats (SD 0.071, 95 % interval -0.485 to 0.785, 2 seeds)"


# Comparisons


def test_the_sign_flip_test_has_fishers_value_for_darwins_maize() -> None:
    assert compared(*DARWIN).p == 2 * 863 / 2**15


@pytest.mark.parametrize("n", [2, 3, 6, 10])
def test_the_smallest_p_is_2_of_2_to_the_n(n: int) -> None:
    assert compared(*np.linspace(0.001, 0.003, n)).p == 2 / 2**n


def test_the_sign_flip_test_equals_enumeration_of_all_signs() -> None:
    differences = np.array([0.004, -0.001, 0.002, 0.002, 0.0, -0.003, 0.005])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=len(differences))]
    expected = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
    assert compared(*differences).p == pytest.approx(float(expected))


def test_with_many_seeds_the_sampled_sign_flips_agree_with_the_t_test() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(0.5, 1, 40), random.normal(0, 1, 40)
    comparison = compare(by_seed(first), by_seed(second))
    assert comparison.p == pytest.approx(float(ttest_rel(first, second).pvalue), abs=0.005)


def test_the_bca_interval_equals_the_formula_on_all_resamples() -> None:
    values = np.array([0.1, 0.2, 0.25, 0.4, 0.9, 2.0])
    means = np.array([np.mean(one) for one in itertools.product(values, repeat=len(values))])  # 6^6
    below = np.mean(means < values.mean() - 1e-12) + np.mean(np.abs(means - values.mean()) <= 1e-12) / 2
    bias = norm.ppf(below)
    jackknife = np.array([np.delete(values, one).mean() for one in range(len(values))])
    spread = jackknife.mean() - jackknife
    acceleration = np.sum(spread**3) / (6 * np.sum(spread**2) ** 1.5)
    z = bias + norm.ppf([0.025, 0.975])
    expected = np.quantile(means, norm.cdf(bias + z / (1 - acceleration * z)))
    comparison = compared(*values)
    assert (comparison.low, comparison.high) == (
        pytest.approx(expected[0], abs=0.02),
        pytest.approx(expected[1], abs=0.05),
    )


def test_intervals_move_and_scale_with_the_differences() -> None:
    one, other = compared(0.1, 0.4, 0.2, 0.7), compared(3.1, 3.4, 3.2, 3.7)
    scaled = compared(10, 40, 20, 70)
    assert one.low is not None and one.high is not None
    assert (other.low, other.high) == (pytest.approx(one.low + 3), pytest.approx(one.high + 3))
    assert (scaled.low, scaled.high) == (pytest.approx(100 * one.low), pytest.approx(100 * one.high))


def test_exchanging_the_settings_mirrors_the_comparison() -> None:
    random = np.random.default_rng(2)
    first, second = by_seed(random.random(8)), by_seed(random.random(8))
    one, other = compare(first, second), compare(second, first)
    assert one.difference == -other.difference
    assert one.p == other.p
    assert one.low is not None and other.high is not None
    assert one.low == pytest.approx(-other.high, abs=0.02)  # BCa samples
    assert one.probability == 1 - other.probability


def test_the_same_values_give_the_same_result() -> None:
    random = np.random.default_rng(3)
    first, second = by_seed(random.random(20)), by_seed(random.random(20))
    assert compare(first, second, margin=0.1) == compare(first, second, margin=0.1)
    assert compare(dict(reversed(first.items())), second) == compare(first, second)


@pytest.mark.parametrize("difference", [0.0, 0.004, -0.004])
@pytest.mark.parametrize("n", [2, 6])
def test_equal_differences_have_an_interval_of_width_zero(difference: float, n: int) -> None:
    # In floating point, 0.97 + difference - 0.97 and 0.96 + difference - 0.96 are not equal.
    second = np.linspace(0.91, 0.97, n)
    comparison = compare(by_seed(second + difference), by_seed(second))
    assert (comparison.low, comparison.difference, comparison.high) == (difference, difference, difference)
    assert comparison.p == (2 / 2**n if difference else 1)
    assert comparison.tied == (0 if difference else n)


def test_pairs_are_made_by_seed_and_only_of_finite_values() -> None:
    first = {3: 0.95, 1: 0.97, 2: 0.96, 4: math.nan, 5: 0.9, 7: math.inf}
    second = {1: 0.90, 2: 0.96, 3: 0.96, 4: 0.9, 6: 0.9, 7: 0.9}
    comparison = compare(first, second)
    assert (comparison.n, comparison.better, comparison.tied) == (3, 1, 1)
    assert comparison.difference == pytest.approx((0.07 + 0 - 0.01) / 3)
    assert comparison.probability == 0.5


def test_of_losses_the_lower_is_better() -> None:
    comparison = compared(-0.1, -0.2, 0.3, -0.1, higher_is_better=False)
    assert (comparison.better, comparison.probability) == (3, 0.75)


def test_settings_without_a_common_seed_are_refused() -> None:
    with pytest.raises(ValueError, match="no seed"):
        compare({1: 0.9}, {2: 0.9})


def test_one_pair_has_neither_interval_nor_test() -> None:
    comparison = compared(0.01, margin=0.1)
    assert (comparison.low, comparison.high, comparison.p, comparison.p_equal) == (None, None, None, None)


# Holm


def test_holms_adjustment_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_holms_adjustment_rejects_as_the_stepwise_procedure_does() -> None:
    random = np.random.default_rng(4)
    for _ in range(100):
        p = random.random(6) ** 3
        rejected = np.zeros(6, bool)
        for step, place in enumerate(np.argsort(p)):
            if p[place] > 0.05 / (6 - step):
                break
            rejected[place] = True
        assert [one <= 0.05 for one in holm(p.tolist())] == rejected.tolist()


# Decisions


def test_the_fewest_seeds_are_those_whose_smallest_p_is_significant() -> None:
    assert [fewest_seeds(claims) for claims in (1, 2, 4, 10)] == [6, 7, 8, 9]
    for claims in range(1, 30):
        n = fewest_seeds(claims)
        assert claims * 2 / 2**n <= 0.05 < claims * 2 / 2 ** (n - 1)


BETTER = (0.004, 0.005, 0.006, 0.005, 0.0045, 0.0055)
MIXED = (0.004, -0.005, 0.006, -0.005, 0.0045, 0.0)


@pytest.mark.parametrize(
    ("differences", "options", "verdict", "reason"),
    [
        (BETTER, {}, "supported", "the interval excludes 0 and p is at most 0.05"),
        (BETTER, {"higher_is_better": False}, "contradicted", "the interval excludes 0 and p is at most 0.05"),
        (tuple(-one for one in BETTER), {}, "contradicted", "the interval excludes 0 and p is at most 0.05"),
        (BETTER[:5], {}, "undecided", "5 seeds describe, 6 are needed to decide"),
        (BETTER[:1], {}, "undecided", "1 seed describes, 6 are needed to decide"),
        (BETTER[:5], {"margin": 0.1}, "undecided", "5 seeds describe, 6 are needed to decide"),
        (MIXED, {}, "undecided", "the interval contains 0 and p is above 0.05"),
        (BETTER, {"margin": 0.01}, "equal", "the interval lies within the margin"),
        (MIXED, {"margin": 0.01}, "equal", "the interval lies within the margin"),
        (MIXED, {"margin": 0.001}, "undecided", "the interval contains 0 and p is above 0.05"),
        (BETTER, {"margin": 0.005}, "supported", "the interval excludes 0 and p is at most 0.05"),
        ((0.0,) * 6, {}, "undecided", "the interval contains 0 and p is above 0.05"),
        ((0.0,) * 6, {"margin": 0.001}, "equal", "the interval lies within the margin"),
    ],
)
def test_verdicts(differences: tuple[float, ...], options: dict, verdict: Verdict, reason: str) -> None:
    decision = decided(*differences, **options)
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_interval_and_test_must_agree() -> None:
    differences = (0.01, 0.02, 0.01, 0.03, 0.02, -0.001)
    comparison = compared(*differences)
    assert comparison.low is not None and comparison.low > 0
    decision = decide([comparison])[0]
    assert (decision.verdict, decision.reason) == ("undecided", "p is above 0.05")


@pytest.mark.parametrize("sign", [1, -1])
def test_for_equality_too_interval_and_test_must_agree(sign: int) -> None:
    differences = sign * np.array([0, 0, 0, 0, 0.02, 0.02])
    comparison = compared(*differences, margin=0.0168)
    assert comparison.low is not None and comparison.high is not None
    assert -0.0168 < comparison.low < comparison.high < 0.0168
    assert comparison.p_equal == 4 / 2**6  # of the sums of 0.0168 - difference: 4 are at least as large
    assert decide([comparison])[0].verdict == "undecided"


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_that_leaves_the_margin_on_one_side_is_not_equal(sign: int) -> None:
    comparison = compared(*(sign * np.array([0, 0, 0, 0, 0, 0, 0.009])), margin=0.005)
    assert comparison.p_equal is not None and comparison.p_equal <= 0.05
    assert decide([comparison])[0].verdict == "undecided"


def test_several_claims_need_more_seeds() -> None:
    six = decide([compared(*BETTER), compared(*BETTER)])
    assert {one.verdict for one in six} == {"undecided"}
    assert {one.reason for one in six} == {"6 seeds describe, 7 are needed to decide 2 claims"}
    assert [one.p for one in six] == [0.0625, 0.0625]
    seven = (*BETTER, 0.005)
    assert [one.verdict for one in decide([compared(*seven), compared(*MIXED)])] == ["supported", "undecided"]


def test_a_claim_with_one_seed_counts_as_a_claim() -> None:
    single, many = decide([compared(0.1), compared(*BETTER, 0.005)])
    assert (single.p, single.claims, single.verdict) == (None, 2, "undecided")
    assert (many.p, many.verdict) == (2 * 2 / 2**7, "supported")


def test_there_is_nothing_to_decide_without_claims() -> None:
    assert decide([]) == []


def test_the_rule_errs_in_at_most_5_of_100_cases_and_intervals_cover_the_mean() -> None:
    random = np.random.default_rng(5)
    decisions = [decided(*random.normal(0, 0.002, 8)) for _ in range(300)]
    covered = [one.comparison.low <= 0 <= one.comparison.high for one in decisions if one.comparison.high is not None]
    assert 0.84 < np.mean(covered) < 0.97  # known to be below 95 % for few seeds, hence the second test
    assert np.mean([one.verdict != "undecided" for one in decisions]) < 0.05 + 0.025


# Sentences


@pytest.mark.parametrize(
    ("differences", "options", "expected"),
    [
        (
            BETTER,
            {},
            "1,024 units are better than 48 by 0.50 points (95 % interval 0.45 to 0.55, p = 0.031, better with 6 of 6 "
            "seeds).",
        ),
        (
            tuple(-one for one in BETTER),
            {},
            "1,024 units are worse than 48 by 0.50 points (95 % interval 0.45 to 0.55, p = 0.031, worse with 6 of 6 "
            "seeds).",
        ),
        (
            MIXED,
            {},
            "On average, 1,024 units are better than 48 by 0.07 points (95 % interval -0.32 to 0.41, p = 0.812, better "
            "with 3 of 6 seeds, equal with 1), but this is undecided: the interval contains 0 and p is above 0.05.",
        ),
        (
            (0.004, 0.006),
            {},
            "On average, 1,024 units are better than 48 by 0.50 points (95 % interval 0.40 to 0.60, p = 0.500, better "
            "with 2 of 2 seeds), but this is undecided: 2 seeds describe, 6 are needed to decide.",
        ),
        (
            (-0.004,),
            {},
            "On average, 1,024 units are worse than 48 by 0.40 points (worse with 1 of 1 seed), but this is undecided: "
            "1 seed describes, 6 are needed to decide.",
        ),
        (
            MIXED,
            {"margin": 0.01},
            "1,024 units and 48 are practically equal, within 1.00 points: on average, 1,024 units are better than 48 "
            "by 0.07 points (95 % interval -0.32 to 0.41, p = 0.016 against the margin, better with 3 of 6 seeds, "
            "equal with 1).",
        ),
        (
            (0.0,) * 6,
            {},
            "On average, 1,024 units and 48 do not differ (95 % interval 0.00 to 0.00, p = 1.000, better with 0 of 6 "
            "seeds, equal with 6), but this is undecided: the interval contains 0 and p is above 0.05.",
        ),
    ],
)
def test_sentences(differences: tuple[float, ...], options: dict, expected: str) -> None:
    assert sentence(decided(*differences, **options), "1,024 units", "48", ACCURACY, "are") == expected


def test_a_sentence_uses_the_words_and_units_of_the_measure() -> None:
    losses = decided(*(-100 * one for one in (*BETTER, *BETTER, 0.005)), higher_is_better=False)
    assert sentence(losses, "the loss with dropout", "without", LOSS) == (
        "the loss with dropout is lower than without by 0.500 nats (95 % interval 0.465 to 0.535, p < 0.001, lower "
        "with 13 of 13 seeds)."
    )


def test_a_sentence_says_for_how_many_claims_p_is_adjusted() -> None:
    first, _ = decide([compared(*BETTER, 0.005), compared(*MIXED)])
    assert "p = 0.031 after Holm's adjustment for 2 claims" in sentence(first, "a", "b", ACCURACY)
