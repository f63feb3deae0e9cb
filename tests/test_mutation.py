"""The summaries of mutmut's and coverage.py's results in the campaign `code`."""

import tomllib

import pytest

from tests.campaigns.code import by_folder, never_run, shares
from tests.campaigns.mutation import ROOT, Mutants, Survivor, explanations, superfluous, unexplained

ONE, OTHER = Survivor("a.py", "x > 1", "x >= 1"), Survivor("a.py", "x > 1", "x > 2")


def test_survivors_are_explained_or_reported() -> None:
    modules = {"a.py": Mutants(18, [ONE, OTHER]), "b.py": Mutants(5, [])}
    (text,) = unexplained(modules, {ONE: "why"})
    assert str(OTHER) in text and "a.py" in text
    assert str(modules["a.py"]) == "18 of 20 killed (90.0%)"
    assert str(Mutants(0, [])) == "0 of 0 killed"


def test_an_explanation_of_a_killed_mutant_is_superfluous() -> None:
    assert superfluous({"a.py": Mutants(19, [ONE])}, {ONE: "why"}) == []
    (text,) = superfluous({"a.py": Mutants(20, [])}, {ONE: "why"})
    assert str(ONE) in text


@pytest.mark.parametrize(
    ("was", "becomes", "rewords"),
    [
        ('Mistake(place, "must be x")', 'Mistake(place, "XXmust be xXX")', True),
        ('Mistake(place, "must be x")', 'Mistake(place, "MUST BE X")', True),
        ('describe("x", "must be x")', 'describe("x", "XXmust be xXX")', True),
        ('Mistake(place, "must be x")', "Mistake(place, None)", False),
        ('details["msg"]', 'details["XXmsgXX"]', False),
        ('details["msg"] + "a b"', 'details["MSG"] + "a b"', False),
    ],
)
def test_a_mutant_that_only_rewords_a_message_is_recognised(was: str, becomes: str, rewords: bool) -> None:
    assert Survivor("a.py", was, becomes).rewords == rewords


def test_explanations_refer_to_mutated_modules() -> None:
    # Whether the lines still exist, `make mutation` checks.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for survivor, why in explanations().items():
        assert survivor.file in settings["tool"]["mutmut"]["only_mutate"]
        assert survivor.was != survivor.becomes
        assert why


@pytest.mark.parametrize("key", ["only_mutate", "pytest_add_cli_args_test_selection", "also_copy"])
def test_the_files_that_mutmut_is_given_exist(key: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in settings["tool"]["mutmut"][key]:
        assert (ROOT / name).exists()


def test_coverage_is_summed_over_files() -> None:
    files = {
        "stages/a/x.py": dict(num_statements=8, covered_lines=8, num_branches=4, covered_branches=3),
        "stages/a/y.py": dict(num_statements=2, covered_lines=1, num_branches=0, covered_branches=0),
        "stages/z.py": dict(num_statements=0, covered_lines=0, num_branches=0, covered_branches=0),
    }
    assert shares(files) == (pytest.approx(0.9), 0.75)
    assert {folder: shares(part) for folder, part in by_folder(files).items()} == {
        "stages/a": (pytest.approx(0.9), 0.75),
        "stages": (1.0, 1.0),
    }


def test_a_file_that_no_test_runs_is_reported() -> None:
    every = {
        str(path.relative_to(ROOT)): {} for name in ("inference", "stages") for path in (ROOT / name).rglob("*.py")
    }
    assert never_run(every) == []
    every.pop("stages/shared/process/console.py")
    assert never_run(every) == ["stages/shared/process/console.py"]
