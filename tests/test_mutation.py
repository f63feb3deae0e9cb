"""What is made of mutmut's results."""

from pathlib import Path

import pytest

from tests.campaigns.code import by_folder, never_run, shares
from tests.campaigns.mutation import ROOT, Judged, Survivor, Tried, explanations, judged, superfluous

ONE, OTHER = Survivor("a.py", "x > 1", "x >= 1"), Survivor("a.py", "x > 1", "x > 2")


def test_survivors_are_explained_or_named() -> None:
    tried = {"a.py": Tried(20, 18, [ONE, OTHER]), "b.py": Tried(5, 5, [])}
    assert judged(tried, {ONE: "why"}) == {"a.py": Judged(20, 18, 1, [OTHER]), "b.py": Judged(5, 5, 0, [])}
    assert str(judged(tried, {ONE: "why"})["a.py"]) == "18 of 20 killed (90.0%), 2 survived, 1 explained"
    assert str(Judged(0, 0, 0, [])) == "0 of 0 killed, 0 survived, 0 explained"


def test_an_explanation_of_a_mutant_that_a_test_fails_of_is_superfluous() -> None:
    assert superfluous({"a.py": Tried(20, 19, [ONE])}, {ONE: "why"}) == []
    assert superfluous({"a.py": Tried(20, 20, [])}, {ONE: "why"}) == [
        "survivors.yaml explains a mutant that did not survive: a.py: x > 1 -> x >= 1"
    ]


def test_every_explanation_is_of_code_that_there_is() -> None:
    known = explanations()
    assert known
    for survivor, why in known.items():
        code = " ".join((ROOT / survivor.file).read_text(encoding="utf-8").split())
        assert " ".join(survivor.was.split()) in code, survivor.was
        assert survivor.was != survivor.becomes
        assert why


def test_coverage_is_summed_over_files() -> None:
    files = {
        str(Path("stages", "a", "x.py")): dict(num_statements=8, covered_lines=8, num_branches=4, covered_branches=3),
        str(Path("stages", "a", "y.py")): dict(num_statements=2, covered_lines=1, num_branches=0, covered_branches=0),
        str(Path("stages", "z.py")): dict(num_statements=0, covered_lines=0, num_branches=0, covered_branches=0),
    }
    assert shares(files) == (pytest.approx(0.9), 0.75)
    folders = by_folder(files)
    assert {folder: shares(part) for folder, part in folders.items()} == {
        str(Path("stages", "a")): (pytest.approx(0.9), 0.75),
        "stages": (1.0, 1.0),
    }


def test_a_file_that_is_never_run_is_named() -> None:
    every = {str(path.relative_to(ROOT)): {} for path in (ROOT / "stages").rglob("*.py")}
    assert never_run(every) == []
    every.pop("stages/shared/process/console.py")
    assert never_run(every) == ["stages/shared/process/console.py"]
