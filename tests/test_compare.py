"""`make compare`: what differs between revisions, and nothing else, printed and on DVC's page."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT, Project
from tools import compare
from tools.plots_template import library, template

PARAMS: dict[str, Any] = {"baselines": {"tree": {"depth": 3}}, "nets": {"a": {"epochs": 3}, "b": {"epochs": 3}}}

Compare = Callable[..., str]


def write_results(project: Project, params: dict[str, Any], *, other: dict[str, int] | None = None) -> None:
    """Write the settings, and results that differ for each model's settings and its number in `other`."""
    (project.folder / "params.yaml").write_text(json.dumps(params))
    (project.folder / "reports" / "timings").mkdir(exist_ok=True, parents=True)
    (project.folder / "reports" / "timings" / "train.json").write_text(json.dumps({"seconds": len(str(params))}))
    shutil.rmtree(project.folder / "reports" / "pictures", ignore_errors=True)
    grey = 0
    for name, settings in {**params["baselines"], **params["nets"]}.items():
        epochs = settings.get("epochs", 1) + (other or {}).get(name, 0)
        grey += 10 * epochs
        metrics = project.folder / "reports" / "metrics" / f"{name}.json"
        metrics.parent.mkdir(exist_ok=True)
        metrics.write_text(json.dumps({"test_accuracy": 1 - 0.5**epochs, "test_log_loss": None, "parameters": 7}))
        pictures = {"confusion", "curves"} if name in params["nets"] else {"confusion"}
        for picture in pictures:
            draw(project.folder / "reports" / "pictures" / "models" / name / f"{picture}.png", epochs)
        if name in params["nets"]:
            history = project.folder / "reports" / "history" / f"{name}.csv"
            history.parent.mkdir(exist_ok=True)
            rows = [f"{k},{1 - 0.5**k},{0.5**k},{1 - 0.6**k},{0.6**k}\n" for k in range(1, epochs + 1)]
            history.write_text("epoch,accuracy,loss,val_accuracy,val_loss\n" + "".join(rows))
    draw(project.folder / "reports" / "pictures" / "overview" / "leaderboard.png", grey)
    draw(project.folder / "reports" / "pictures" / "overview" / "samples.png", 0)


def draw(path: Path, grey: int) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("L", (600, 200), grey % 256).save(path)


def with_net(name: str, epochs: int) -> dict[str, Any]:
    return {**PARAMS, "nets": {**PARAMS["nets"], name: {"epochs": epochs}}}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of two commits with the plots of the real dvc.yaml; experiments of the second, and of the first."""
    project = Project(tmp_path_factory.mktemp("compare") / "project")
    project.folder.mkdir()
    definition = (ROOT / "dvc.yaml").read_text()
    (project.folder / "dvc.yaml").write_text(definition[definition.index("\nplots:") :])
    (project.folder / ".gitignore").write_text("/dvc_plots\n")
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    project.succeed("dvc", "init", "--quiet")
    shutil.copytree(ROOT / ".dvc" / "plots", project.folder / ".dvc" / "plots")
    (project.folder / ".dvc" / ".gitignore").write_text("/config.local\n/plots.html\n/tmp\n/cache\n")
    (project.folder / ".dvc" / "plots.html").write_text(template(library()))
    project.succeed("dvc", "config", "--local", "plots.html_template", "plots.html")

    def experiment(name: str, params: dict[str, Any], **settings: Any) -> None:
        start = project.succeed("git", "rev-parse", "HEAD").output.strip()
        write_results(project, params, **settings)
        project.commit()
        project.succeed("git", "update-ref", f"refs/exps/{start[:2]}/{start[2:]}/{name}", "HEAD")
        project.succeed("git", "reset", "--quiet", "--hard", start)

    write_results(project, with_net("b", 2))
    project.commit()
    project.succeed("git", "tag", "b@v1.0.0")
    experiment("old", with_net("b", 9))
    experiment("twice", with_net("b", 4))
    write_results(project, PARAMS)
    project.commit()
    experiment("more", with_net("b", 5))
    experiment("most", with_net("b", 9))
    experiment("added", with_net("wide", 4))
    experiment("both", with_net("b", 5), other={"a": 1})
    experiment("same", {**PARAMS, "split": {"rows": None}})
    return project


@pytest.fixture
def project(original: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = original.copy(tmp_path / "project")
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture
def compared(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Compare revisions and return what is printed."""

    def run(*names: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compare", *names])
        compare.main()
        return capsys.readouterr().out

    return run


def plots_of(project: Project) -> list[str]:
    """Return the plots on the page, in DVC's order."""
    page = (project.folder / "dvc_plots" / "index.html").read_text()
    found: list[str] = re.findall(r'<div\s+id ?= ?"([^"]+)"', page.partition("<body>")[2])
    return found


def pictures_of(project: Project) -> set[str]:
    return {path.name for path in (project.folder / "dvc_plots" / "static").iterdir()}


def table_of(output: str) -> list[list[str]]:
    return [line.split() for line in output.split("\n\n")[1].splitlines()]


def test_only_what_differs_is_printed_and_drawn(project: Project, compared: Compare) -> None:
    output = compared("HEAD", "more")
    assert "more, settings that differ from HEAD:\n  nets.b.epochs=5\n" in output
    assert table_of(output) == [
        ["model", "metric", "HEAD", "more", "change"],
        ["b", "test_accuracy", "0.875", "0.96875", "+0.09375"],
    ]
    page = project.folder / "dvc_plots" / "index.html"
    assert f"open {page.relative_to(project.folder)} " in output.splitlines()[-1]
    drawn = {
        "reports_history_b_csv",
        "reports_pictures_models_b_confusion_png",
        "reports_pictures_overview_leaderboard_png",
    }
    assert {*plots_of(project)} == drawn and plots_of(project)[0] == "reports_history_b_csv"
    assert sum(file.stat().st_size for file in page.parent.rglob("*") if file.is_file()) < 3e6
    # The pictures of an earlier comparison are gone.
    compared("HEAD", "added")
    assert pictures_of(project) == {
        "HEAD_reports_pictures_overview_leaderboard.png",
        "added_reports_pictures_overview_leaderboard.png",
        "added_reports_pictures_models_wide_confusion.png",
    }


def test_three_revisions_are_compared_the_edited_model_first(project: Project, compared: Compare) -> None:
    output = compared("b@v1.0.0", "both", "workspace")
    assert table_of(output) == [
        ["model", "metric", "b@v1.0.0", "both", "workspace"],
        ["a", "test_accuracy", "0.875", "0.9375", "0.875"],
        ["b", "test_accuracy", "0.75", "0.96875", "0.875"],
    ]
    assert plots_of(project)[:2] == ["reports_history_b_csv", "reports_history_a_csv"]
    assert len(pictures_of(project)) == 3 * 3
    spec = json.loads(re.findall(r"var spec = (.*);\n", (project.folder / "dvc_plots" / "index.html").read_text())[0])
    assert {row["rev"] for row in spec["data"]["values"]} == {"b@v1.0.0", "both", "workspace"}
    assert [panel["encoding"]["y"]["title"] for panel in spec["hconcat"]] == ["accuracy", "loss (logarithmic axis)"]


def test_the_workspace_is_compared_with_the_last_commit_by_default(project: Project, compared: Compare) -> None:
    write_results(project, with_net("wide", 6))  # with files that git does not know
    output = compared()
    assert "workspace, settings that differ from HEAD:\n  +nets.wide={epochs: 6}\n" in output
    assert table_of(output)[1:3] == [
        ["wide", "test_accuracy", "-", "0.984375", "-"],
        ["wide", "parameters", "-", "7", "-"],
    ]
    assert "workspace_reports_pictures_models_wide_confusion.png" in pictures_of(project)
    assert compared("workspace", "HEAD") == output


def test_the_project_may_be_a_folder_of_a_larger_repository(
    original: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outer = Project(tmp_path)
    shutil.copytree(original.folder, tmp_path / "inner", ignore=shutil.ignore_patterns(".git"))
    outer.succeed("git", "init", "--quiet")
    outer.commit()
    inner = Project(tmp_path / "inner")
    write_results(inner, with_net("b", 5))
    monkeypatch.chdir(inner.folder)
    monkeypatch.setattr(sys, "argv", ["compare"])
    compare.main()
    assert "3 curves and pictures differ" in capsys.readouterr().out


def test_without_a_difference_a_sentence_says_so(project: Project, compared: Compare) -> None:
    assert compared("HEAD", "workspace") == "compare: HEAD and workspace have the same results\n"
    assert compared("HEAD", "same").splitlines()[-1] == "compare: HEAD and same have the same results"
    (project.folder / "params.yaml").write_text(json.dumps(with_net("b", 7)))
    last = compared().splitlines()[-1]
    assert last == (
        "compare: HEAD and workspace have the same results; the results of edited settings come with 'dvc repro'"
    )
    assert not (project.folder / "dvc_plots").exists()


def test_metrics_alone_may_differ(project: Project, compared: Compare) -> None:
    (project.folder / "reports" / "metrics" / "a.json").write_text(json.dumps({"test_accuracy": 0.5}))
    assert compared().splitlines()[-1] == "compare: no curves or pictures differ"


def test_settings_that_cannot_be_read_are_named(project: Project, compared: Compare) -> None:
    (project.folder / "params.yaml").write_text("nets: {a: [}")
    with pytest.raises(UserError, match=r"^params\.yaml, line 1: not valid YAML"):
        compared()
    project.commit()
    with pytest.raises(UserError, match=r"^params\.yaml of HEAD is not valid YAML"):
        compared("HEAD", "more")


def test_an_experiment_of_another_commit_is_compared_with_a_note(compared: Compare) -> None:
    assert re.search(r"^old started from [0-9a-f]{7}, HEAD from [0-9a-f]{7}: code may", compared("HEAD", "old"))
    assert "started from" not in compared("more", "most")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("HEAD", "mroe"), r"^unknown revision or experiment 'mroe'; did you mean 'more'\?"),
        (("HEAD~9", "more"), r"^unknown revision or experiment 'HEAD~9'.*added.*workspace"),
        (("HEAD", "--", "-x"), r"^unknown revision or experiment '-x'"),
        (("HEAD",), r"^give two or three different revisions, not 1: make compare"),
        (("more", "more"), r"^give two or three different revisions, not 1"),
        (("HEAD", "more", "most", "old"), r"^give two or three different revisions, not 4"),
    ],
)
def test_a_revision_that_cannot_be_compared_is_named(
    compared: Compare, project: Project, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        compared(*names)
    assert not (project.folder / "dvc_plots").exists()


def test_of_experiments_with_the_same_name_that_of_head_is_meant(project: Project, compared: Compare) -> None:
    first, last = project.succeed("git", "rev-parse", "HEAD~1", "HEAD").output.split()
    project.succeed(
        "git", "update-ref", f"refs/exps/{last[:2]}/{last[2:]}/twice", f"refs/exps/{last[:2]}/{last[2:]}/more"
    )
    assert "nets.b.epochs=5" in compared("HEAD", "twice")
    project.succeed("git", "reset", "--quiet", "--hard", first)
    assert "nets.b.epochs=4" in compared("HEAD", "twice")
    project.succeed("git", "commit", "--quiet", "--allow-empty", "--message", "neither")
    with pytest.raises(UserError, match=r"^several commits have an experiment 'twice'.*dvc exp list --all-commits"):
        compared("HEAD", "twice")
