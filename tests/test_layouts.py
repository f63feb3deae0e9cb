"""The project as people have it: settings that DVC rewrites, other settings of git, clones of all kinds, subfolders."""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides  # what `dvc exp run -S` writes params.yaml with

from inference.registered_models import fetch, find
from stages.shared.errors import UserError
from tests.fixtures.notebook import notebook_only
from tests.fixtures.small_project import PARAMS, ROOT, Project


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    return Project(folder).succeed("git", *arguments).output


# Settings of DVC


def changed_lines(settings: list[str]) -> list[str]:
    """Apply settings to params.yaml as `dvc exp run -S` does; return the removed (-) and added (+) lines."""
    path = Path("params.yaml")
    before = path.read_text().splitlines()
    apply_overrides(path, settings)
    diff = difflib.unified_diff(before, path.read_text().splitlines(), n=0, lineterm="")
    return [line for line in diff if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("setting", "lines"),
    [
        ("training.threads=0", []),
        ("nets.softmax.epochs=31", ["-    epochs: 30", "+    epochs: 31"]),
        (
            "split.rows=4000",
            [
                "-  rows: # size of a stratified subset, at least 10; empty: all",
                "+  rows: 4000 # size of a stratified subset, at least 10; empty: all",
            ],
        ),
        ("nets.mlp-48.layers.hidden.units=64", ["-        units: 48", "+        units: 64"]),
    ],
)
def test_a_setting_on_the_command_line_changes_one_line(setting: str, lines: list[str]) -> None:
    assert changed_lines([setting]) == lines


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    "setting", ["~nets.fast", "~nets.augmented-cnn", "~baselines.svc-rbf", "+nets.new={epochs: 1}"]
)
def test_a_model_added_or_removed_takes_no_comment_of_another(setting: str) -> None:
    name = setting.split(".")[1].split("=")[0]
    sign = setting[0].replace("~", "-")
    first, *others = [line for line in changed_lines([setting]) if line.strip("-+")]
    assert first == f"{sign}  {name}:"
    assert all(line.startswith(f"{sign}    ") for line in others)


# Settings of git and of pre-commit


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every file of this one, not committed yet."""
    folder = tmp_path_factory.mktemp("tracked")
    for name in filter(None, git(ROOT, "ls-files", "-z").split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    return folder


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def test_a_clone_has_the_same_bytes_under_every_setting_of_line_ends(
    tracked: Path, tmp_path: Path, setting: str
) -> None:
    git(tracked, "add", "--all")
    git(tracked, "commit", "--quiet", "--allow-empty", "--message", "the project")
    git(tmp_path, "clone", "--quiet", "--config", setting, str(tracked), "clone")
    files = [path for path in tracked.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(files) > 200
    assert [
        path for path in files if (tmp_path / "clone" / path.relative_to(tracked)).read_bytes() != path.read_bytes()
    ] == []
    assert git(tmp_path / "clone", "status", "--porcelain") == ""


def test_files_to_commit_are_not_excluded_by_a_users_own_settings(tracked: Path, tmp_path: Path) -> None:
    files = [path.relative_to(tracked) for path in tracked.rglob("*") if path.is_file() and ".git" not in path.parts]
    # What a run adds after a net was declared.
    files += [Path(f"reports/{name}") for name in ("summaries/new.txt", "metrics/new.json", "history/new.csv")]
    files += [Path(f"reports/pictures/{name}.png") for name in ("models/new/curves", "models/new/weights.hidden")]
    folders = {folder.name for path in files for folder in path.parents if folder.name[:1].isalpha()}
    excluded = [
        *(f"*{suffix}" for suffix in {path.suffix for path in files if path.suffix}),
        *(f"{name}/" for name in folders),
    ]
    (tmp_path / "excluded").write_text("\n".join([*excluded, ".DS_Store", ".idea/", "*~"]))
    setting = ("-c", f"core.excludesFile={tmp_path / 'excluded'}")
    ignored = (".DS_Store", "reports/.DS_Store", ".idea/workspace.xml", "params.yaml~", "models/nets/new.keras")
    command = ["git", *setting, "check-ignore", "--no-index", "--", *map(str, files), *ignored, "data/raw/images.npy"]
    shown = subprocess.run(command, cwd=tracked, capture_output=True, text=True, check=False).stdout.splitlines()
    assert shown == [*ignored, "data/raw/images.npy"]


def test_text_files_of_a_run_end_in_one_newline_and_have_no_trailing_blanks(finished: Project) -> None:
    """Else the hooks end-of-file-fixer and trailing-whitespace change outputs, and every net counts as changed."""
    outputs = [path for folder in ("data", "models", "reports") for path in (finished.folder / folder).rglob("*")]
    texts = {path: path.read_bytes() for path in outputs if path.is_file() and b"\0" not in path.read_bytes()}
    assert {".csv", ".html", ".json", ".md", ".txt"} <= {path.suffix for path in texts}
    changed = [
        path
        for path, text in texts.items()
        if not re.fullmatch(rb"([^\r]*[^\s])?\n?", text) or re.search(rb"[ \t\r]\n", text)
    ]
    assert [path for path in changed if path.stat().st_size] == []
    assert [path for path, text in texts.items() if text and not text.endswith(b"\n")] == []


# Back to the last commit


def back() -> str:
    """Return the README's command."""
    [command] = re.findall(r"<!-- back -->\n\n```sh\n(.*)\n```", (ROOT / "README.md").read_text(encoding="utf-8"))
    return command


@notebook_only
@pytest.mark.parametrize("staged", [False, True])
def test_the_command_of_the_readme_takes_back_a_run_that_added_a_model(
    finished: Project, tmp_path: Path, staged: bool
) -> None:
    project = finished.copy(tmp_path / "project")
    for name in ("params.yaml", "dvc.lock"):
        with (project.folder / name).open("a") as file:
            file.write("# edited\n")
    project.succeed("git", "add", "dvc.lock")  # as DVC does with core.autostage
    for name in ("reports/metrics/new.json", "reports/pictures/models/new/weights.hidden.png"):
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).touch()
    if staged:
        project.succeed("git", "add", "--all")
    project.succeed("bash", "-c", back())
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert "up to date" in project.succeed("dvc", "status").output


@notebook_only
@pytest.mark.slow
def test_nothing_is_left_of_a_model_after_the_command_of_the_readme(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    project.edit(lambda params: params["baselines"].update(another=params["baselines"]["linear"]))
    assert "train-baselines@another" in project.repro()
    assert "another" in project.succeed("dvc", "metrics", "show").output
    project.succeed("bash", "-c", back())
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert "up to date" in project.succeed("dvc", "status").output
    assert "another" not in project.succeed("dvc", "metrics", "show").output
    assert [path for folder in ("models", "reports") for path in (project.folder / folder).rglob("*another*")] == []


# Clones and folders


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of DVC with one stage, which copies params.yaml, in a repository with two commits."""
    folder = tmp_path_factory.mktemp("origin") / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").touch()
    shutil.copy(PARAMS, folder / "params.yaml")
    (folder / "dvc.yaml").write_text(
        "stages: {keep: {cmd: cp params.yaml kept, params: [nets], outs: [kept]}}\n"
        "artifacts: {model: {path: params.yaml}}\n"
    )
    (folder / ".gitignore").write_text("/kept\n/.dvc/tmp\n/.dvc/cache\n")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    for _ in range(2):
        with (folder / "dvc.yaml").open("a") as file:
            file.write("# a change\n")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "a commit")
    return folder


def slow(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


def experiment(folder: Path) -> tuple[int, str]:
    """Run an experiment in a folder, as `make recipes` does; return its exit code and last line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.fixtures.experiment"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, (ran.stdout + ran.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize(
    "option",
    ["--depth=1", "--filter=blob:none", *map(slow, ("--filter=tree:0", "--single-branch", "--no-tags"))],
)
def test_an_experiment_is_kept_or_the_clone_is_named_with_the_remedy(
    project: Path, tmp_path: Path, option: str
) -> None:
    git(tmp_path, "clone", "--quiet", option, project.as_uri(), "clone")
    folder = tmp_path / "clone"
    code, line = experiment(folder)
    if option.startswith(("--depth", "--filter")):
        assert code == 1 and f"({option.split('=')[0]})" in line
        assert not (folder / "dvc.lock").exists(), "nothing was run"
        [remedy] = re.findall(r"git (fetch [^,]*)", line)
        git(folder, *remedy.split())
        code, line = experiment(folder)
    assert code == 0, line
    assert git(folder, "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps").split() == ["small"]


@pytest.mark.parametrize(
    "place", ["a folder of a repository", *map(slow, ("a linked worktree", "a detached HEAD", "a submodule"))]
)
def test_an_experiment_runs_in(project: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "outer" / "digits"
    if place == "a linked worktree":
        git(tmp_path, "clone", "--quiet", str(project), "clone")
        git(tmp_path / "clone", "worktree", "add", "--quiet", str(folder), "-b", "other")
    elif place == "a detached HEAD":
        git(tmp_path, "clone", "--quiet", str(project), str(folder))
        git(folder, "checkout", "--quiet", "--detach", "HEAD~1")
    else:
        folder.parent.mkdir()
        git(folder.parent, "init", "--quiet")
        if place == "a submodule":
            allowed = ("-c", "protocol.file.allow=always")
            git(folder.parent, *allowed, "submodule", "--quiet", "add", str(project), "digits")
        else:
            shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".git"))
            git(folder.parent, "add", "--all")
        git(folder.parent, "commit", "--quiet", "--message", "the course")
    code, line = experiment(folder)
    assert code == 0, line
    assert "small" in git(folder, "for-each-ref", "refs/exps")


def test_params_yaml_is_kept_in_a_project_below_the_root_of_a_repository_that_does_not_have_it(
    project: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "the course")
    folder = tmp_path / "digits"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".git"))
    code, line = experiment(folder)
    assert code == 1 and "params.yaml" in line and "git add . && git commit" in line
    assert (folder / "params.yaml").read_bytes() == PARAMS.read_bytes()
    assert git(tmp_path, "status", "--porcelain").split() == ["??", "digits/"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_repository_of_another_user_is_named_with_the_remedy(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "--quiet", str(project), "clone")
    folder = tmp_path / "clone"
    git(folder, "tag", "--annotate", "--message", "a version", "model@v1.0.0")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 12345, 12345)
    code, line = experiment(folder)
    assert code == 1 and line.endswith(f"git config --global --add safe.directory {folder}")
    monkeypatch.chdir(folder)
    for repo in (None, str(folder)):
        with pytest.raises(UserError, match=rf"git config --global --add safe\.directory {folder}$"):
            fetch(find("model@v1.0.0", repo), tmp_path)


def test_a_model_of_a_project_in_a_folder_is_registered_and_fetched_with_the_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, folder = tmp_path / "outer", tmp_path / "outer" / "digits"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".git"))
    git(outer, "init", "--quiet")
    git(outer, "add", "--all")
    git(outer, "commit", "--quiet", "--message", "the course")
    for tag in ("digits=model@v1.0.0", "digits=model#prod#1"):  # as `gto register digits:model`, `gto assign` make them
        git(outer, "tag", "--annotate", "--message", "a version", tag)
    places = {outer: "digits:", folder: ""}
    for place, prefix in places.items():
        monkeypatch.chdir(place)
        for name in ("digits:model@v1.0.0", "digits:model#prod", f"{prefix}model@latest"):
            model = fetch(find(name, None), tmp_path)
            assert model.read_bytes() == PARAMS.read_bytes()
            model.unlink()
    monkeypatch.chdir(tmp_path)
    for repo, name in ((outer, "digits:model"), (folder, "model"), (folder, "digits:model")):
        assert fetch(find(name, str(repo)), tmp_path).is_file()
    # Another repository's URL has nothing to do with the current folder.
    git(tmp_path, "clone", "--quiet", str(project), "other")
    git(tmp_path / "other", "tag", "--annotate", "--message", "a version", "model@v3.0.0")
    monkeypatch.chdir(folder)
    assert fetch(find("model@v3.0.0", (tmp_path / "other").as_uri()), tmp_path).is_file()
    monkeypatch.chdir(tmp_path)
    # Registered without the folder, a version cannot be fetched.
    git(outer, "tag", "--annotate", "--message", "a version", "model@v2.0.0")
    with pytest.raises(UserError, match=r"unknown version or stage 'digits:model@v2\.0\.0'"):
        find("model@v2.0.0", str(folder))
    with pytest.raises(UserError, match="registered and fetched as FOLDER:model"):
        fetch(find("model@v2.0.0", str(outer)), tmp_path)
