"""The tools: generated pages, rebuilt metrics, the quick run, the table of experiments, the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.dvc_lock import LOCK
from stages.shared.params.yaml_file import plain, read
from tests.fixtures.small_project import BASELINES, NETS, PARAMS, ROOT, Project
from tools import readme
from tools.agreement import disagreements
from tools.experiments import Row, differences, table
from tools.generated_file import write_or_check
from tools.quick import BATCH_SIZE, EPOCHS, FOLDER, ROWS, commands, prepare, reduce_nets, reduce_rows, run_stage, write
from tools.repository import check_repository


def test_the_pages_contain_the_leaderboard_the_benchmark_and_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for page, part in (
        (readme.README, "leaderboard"),
        (readme.PERFORMANCE, "benchmark"),
        (readme.CONTRIBUTING, "stages"),
    ):
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"before\n<!-- {part} -->\nold\n<!-- /{part} -->\nafter\n")
    readme.BENCHMARK.parent.mkdir()
    readme.BENCHMARK.write_text("<!-- models -->\n| softmax |\n<!-- /models -->\n")
    readme.paths.LEADERBOARD_MD.write_text("| mine |\n")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    pages = readme.generated()
    assert pages[readme.README] == "before\n<!-- leaderboard -->\n\n| mine |\n\n<!-- /leaderboard -->\nafter\n"
    assert "| softmax |" in pages[readme.PERFORMANCE]
    assert "check-params --> fetch" in pages[readme.CONTRIBUTING]
    # In a project of one's own, pages about the notebook can be gone.
    readme.BENCHMARK.unlink()
    assert set(readme.generated()) == {readme.README, readme.CONTRIBUTING}
    readme.CONTRIBUTING.unlink()
    assert set(readme.generated()) == {readme.README}


def test_the_stage_graph_of_the_documentation_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert readme.generated()[readme.CONTRIBUTING] == readme.CONTRIBUTING.read_text(), "run 'make readme'"


def test_a_part_is_the_text_between_its_marks() -> None:
    text = "a\n<!-- table -->\nrows\nmore\n<!-- /table -->\nb\n"
    assert readme.find_part(Path("page.md"), text, "table")[1] == "rows\nmore\n"
    with pytest.raises(UserError, match=r"page\.md.*'<!-- other -->'"):
        readme.find_part(Path("page.md"), text, "other")


def test_a_generated_file_is_written_or_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    for before, check in ((None, True), ("old", True), ("old", False), ("new", True)):
        if before is not None:
            file.write_text(before)
        monkeypatch.setattr("sys.argv", ["tool", *(["--check"] if check else [])])
        if check and before != "new":
            with pytest.raises(UserError, match=r"file .*'make it'"):
                write_or_check(file, "new", "make it")
            assert not file.exists() or file.read_text() == before
        else:
            assert write_or_check(file, "new", "make it") == check
            assert file.read_text() == "new"


def test_the_stage_graph_omits_arrows_that_follow_from_others() -> None:
    graph = readme.stage_graph(
        {
            "first": {"outs": ["data/a"]},
            "second": {
                "deps": ["data/a/part.npy"],
                "outs": [{"models/${item.name}.x": {"cache": False}}],
                "matrix": {},
            },
            "third": {"deps": ["data/a", "models"]},
        }
    )
    assert '    second["second@NAME"]' in graph
    assert "    first --> second" in graph
    assert "    second --> third" in graph
    assert "    first --> third" not in graph


def test_rebuilt_accuracies_may_differ_by_half_a_point() -> None:
    committed = {"a": {"test_accuracy": 0.98}, "b": {"test_accuracy": 0.9}, "gone": {"test_accuracy": 0.5}}
    rebuilt = {"a": {"test_accuracy": 0.9764}, "b": {"test_accuracy": 0.9051}, "new": {"test_accuracy": 0.5}}
    gone, new, changed = disagreements(committed, rebuilt)
    assert gone.startswith("gone ")
    assert new.startswith("new ")
    assert changed.startswith("b:")
    assert "0.9000" in changed
    assert "0.9051" in changed
    assert disagreements(committed, committed) == []


def test_the_quick_run_limits_epochs_and_batches(tmp_path: Path) -> None:
    text = """
        nets:
          long: {epochs: 30, batch_size: 512, threads: 1}
          short: {epochs: 1, batch_size: 8}
          mistaken: {epochs: many, batch_size: true}
          missing: {}
    """
    params = YAML().load(text)
    reduce_nets(params)
    assert plain(params)["nets"] == {
        "long": {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "threads": None},
        "short": {"epochs": 1, "batch_size": 8},
        "mistaken": {"epochs": "many", "batch_size": True},
        "missing": {},
    }
    for mistake in ("nets: [1]", "nets: hallo", "nets:", "other: 1"):
        reduce_nets(YAML().load(mistake))


@pytest.mark.parametrize(
    ("declared", "fetched", "rows", "written"),
    [(None, 70_000, ROWS, ROWS), (None, 300, 300, None), (800, 70_000, 800, 800), (2_000, 70_000, ROWS, ROWS)],
)
def test_the_quick_run_limits_rows(declared: int | None, fetched: int, rows: int, written: int | None) -> None:
    params = YAML().load("split: {rows: }")
    params["split"]["rows"] = declared
    assert reduce_rows(params, fetched) == rows
    assert plain(params) == {"split": {"rows": written}}


def test_messages_of_the_quick_run_name_the_lines_of_params(tmp_path: Path) -> None:
    params = YAML().load(PARAMS)
    reduce_nets(params)
    write(params, tmp_path / "params.yaml")
    lines = (PARAMS.read_text().splitlines(), (tmp_path / "params.yaml").read_text().splitlines())
    assert [line.split(":")[0] for line in lines[0]] == [line.split(":")[0] for line in lines[1]]


def test_the_quick_run_has_the_stages_and_the_files_of_the_project(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "dvc.yaml", workspace)
    content = read()
    listed = subprocess.run(
        ["dvc", "stage", "list", "--name-only"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert sorted(dict(commands(content))) == sorted(listed.stdout.split())
    assert dict(commands(content))["train-nets@mlp-48"] == "python -m stages.train_nets mlp-48"
    Path("data/pictures").mkdir(parents=True)
    Path("data/.raw.lock").touch()
    for folder in (paths.RAW, Path("models"), paths.PICTURES.folder):
        folder.mkdir(parents=True)
    paths.RAW_IMAGES.touch()
    assert not prepare(FOLDER, content)
    assert {path.name for path in (FOLDER / "data").iterdir()} == {"pictures"}
    assert not (FOLDER / "models").exists() and (FOLDER / "dvc.yaml").is_symlink()
    fetch = {"params": {"params.yaml": {"fetch": plain(content["fetch"])}}}
    LOCK.write_text(json.dumps({"stages": {"fetch": fetch}}))
    assert prepare(FOLDER, content), "the data set need not be fetched again"
    content["fetch"]["source"] = "openml"
    assert not prepare(FOLDER, content)


def test_a_stage_of_the_quick_run_that_fails_is_named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    with pytest.raises(UserError, match=r"^train-nets@none: params.yaml declares no net 'none'"):
        run_stage("train-nets@none", "python -m stages.train_nets none")
    with pytest.raises(UserError, match=r"^mine: failed: exit 3$"):
        run_stage("mine", "exit 3")


@pytest.mark.slow
def test_the_quick_run_leaves_the_workspace_as_it_was(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    shutil.copytree(ROOT / "tools", project.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(project.folder / ".git")  # it needs no repository
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*") if path.is_file()}
    ran = project.succeed(sys.executable, "-m", "tools.quick")
    assert "quick: report" in ran.output
    quick = project.folder / FOLDER
    after = [path for path in project.folder.rglob("*") if path.is_file() and not path.is_relative_to(quick)]
    assert before == {path: path.stat().st_mtime_ns for path in after if "__pycache__" not in path.parts}
    assert (quick / paths.PAGE).stat().st_size > 10_000
    assert {row["model"] for row in json.loads((quick / paths.LEADERBOARD).read_text())} == {*BASELINES, *NETS}


def test_the_default_models_and_any_number_of_settings_fit_in_130_columns() -> None:
    declared = YAML(typ="safe").load(PARAMS.read_text())
    models = [*declared["baselines"], *declared["nets"]]
    before = {"nets": declared["nets"]}
    after = {"nets": {name: {**net, "epochs": 3, "batch_size": 7} for name, net in declared["nets"].items()}}
    after["nets"]["new"] = declared["nets"]["deep-cnn"]
    changed = differences(before, after)
    assert len(changed) == 2 * len(declared["nets"]) + 1
    rows = [
        Row("workspace", dict.fromkeys(models, 0.98765), []),
        Row("  rowdy-dato", dict.fromkeys(models, 0.9), changed),
    ]
    lines = table(rows, 130).splitlines()
    assert lines[0].split() == models
    assert lines[1].split() == ["workspace", *["0.9877"] * len(models)]
    assert lines[3] == ""
    assert max(map(len, lines)) <= 130
    settings_shown = "".join(line.removeprefix("  rowdy-dato") for line in lines[4:])
    assert settings_shown.replace(" ", "") == "".join(changed).replace(" ", "")


def test_a_table_that_is_too_wide_is_wrapped() -> None:
    rows = [
        Row("main", {"one-model": 0.5, "another": 0.25}, []),
        Row("  less", {"another": 0.75}, ["~nets.one-model"]),
    ]
    lines = [line.rstrip(" \\") for line in table(rows, 20).splitlines()]
    cells = [line.split() for line in lines]
    assert cells[:3] == [["one-model"], ["main", "0.5000"], ["less", "*-"]]
    assert cells[4:7] == [["another"], ["main", "0.2500"], ["less", "*0.7500"]]
    assert lines[-2:] == ["  less  ~nets.one-", "          model"]
    assert max(map(len, lines)) <= 20


def test_an_accuracy_that_differs_from_the_row_above_is_marked() -> None:
    found = [Row("main", {"a": 0.5, "b": 0.25}, []), Row("  x", {"a": 0.5, "b": 0.75}, [])]
    found += [Row("  y", {"a": 0.5, "b": 0.25, "c": 0.1}, []), Row("  z", {"a": 0.500001, "b": 0.25, "c": 0.1}, [])]
    lines = table(found, 120).splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["a", "b", "c"],
        ["main", "0.5000", "0.2500", "-"],
        ["x", "0.5000", "*0.7500", "-"],
        ["y", "0.5000", "*0.2500", "*0.1000"],
        ["z", "*0.5000", "0.2500", "0.1000"],
    ]
    assert len({len(line) for line in lines[:5]}) == 1
    bold = table(found, 120, bold=True)
    assert bold.count("\033[1m*") == bold.count("*") == 4
    assert bold.replace("\033[1m", "").replace("\033[0m", "").splitlines() == lines


def test_different_settings_are_in_the_syntax_of_the_command_line() -> None:
    before = {"split": {"rows": None, "test": 0.2}, "nets": {"a": {"epochs": 2}, "b": {"epochs": 3}}}
    after = {
        "split": {"rows": 40, "test": 0.2},
        "nets": {"a": {"epochs": 2, "seed": None}, "c": {"layers": {"x": [1, 2]}}},
    }
    assert differences(before, after) == [
        "split.rows=40",
        "+nets.a.seed=null",
        "~nets.b",
        "+nets.c={layers: {x: [1, 2]}}",
    ]


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the project that tools read, and no repository."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


@pytest.mark.parametrize("tool", ["agreement", "experiments", "verify", "repository"])
def test_a_tool_without_git_or_a_commit_says_how_to_make_one(tool: str, unpacked: Path) -> None:
    def message(**variables: str) -> str:
        start, environment = [sys.executable, "-m", f"tools.{tool}"], {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(start, env=environment | variables, capture_output=True, text=True, check=False)
        assert ran.returncode == 1 and len(ran.stderr.splitlines()) == 1, ran.stderr
        return ran.stderr

    assert "git is not installed" in message(PATH=str(unpacked / "nowhere"))
    assert "not in a git repository, which DVC needs: git init && git add . && git commit" in message(LANG="de_DE")
    git("init", "--quiet")
    assert "no commit yet" in message() and "git add . && git commit" in message()
    git("commit", "--quiet", "--allow-empty", "--message", "another project")
    assert "does not have dvc.yaml and params.yaml" in message() and "git add . && git commit" in message()


def test_a_project_copied_without_hidden_files_says_what_is_missing(unpacked: Path) -> None:
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "the project")
    (unpacked / ".dvc").rmdir()
    with pytest.raises(UserError, match=r"the folder \.dvc is missing.*hidden files.*git checkout HEAD -- \.dvc"):
        check_repository()


def test_a_dvc_folder_that_cannot_be_written_is_named(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "the project")
    check_repository()
    # As root, every folder is writable but those of a disk that is read-only.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path(".dvc"))
    with pytest.raises(UserError, match=r"^\.dvc is not writable"):
        check_repository()


def test_a_stage_in_another_python_names_the_environment() -> None:
    start = [sys.executable, "-S", "-m", "stages.check_params"]
    ran = subprocess.run(start, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "run 'source .venv/bin/activate' first" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_tools_run_dvc_and_stages_by_their_own_python(unpacked: Path) -> None:
    page = "mkdir reports && echo a page > reports/index.html"
    outs = ["kept", {"reports/index.html": {"cache": False}}]
    stage = {"cmd": f"python -c 'import skops' && touch kept && {page}", "params": ["nets"], "outs": outs}
    (unpacked / "dvc.yaml").write_text(json.dumps({"stages": {"keep": stage}}))
    (unpacked / ".dvc" / "config").touch()
    (unpacked / ".gitignore").write_text("/kept\n/.dvc/tmp\n/.dvc/cache\n")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "the project")
    # The environment is not active, and the user's shell runs nothing.
    variables = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "SHELL": "/bin/false"}
    for program in ("tools.quick", "tests.fixtures.experiment", "tools.experiments"):
        command = [sys.executable, "-m", program]
        ran = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        if program == "tools.quick":
            assert ran.stdout.endswith("their page: open .dvc/tmp/quick/reports/index.html\n")
    assert re.search(r"^  small +split\.rows=1500$", ran.stdout, re.MULTILINE), ran.stdout
    # The page of the folder of its own, not of the workspace.
    assert not (unpacked / "reports").exists() and not (unpacked / "kept").exists()
    assert (unpacked / FOLDER / paths.PAGE).read_text() == "a page\n"
