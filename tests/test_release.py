"""`make release`: a version is registered only if others can fetch it; each obstacle is one sentence with a remedy."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT, Project
from tools.release import release

pytestmark = pytest.mark.slow

MODEL = "models/nets/mlp-48.keras"
PIPELINE = f"""
stages:
  train-nets:
    matrix: {{name: "${{nets}}"}}
    cmd: mkdir -p models/nets reports && cp params.yaml models/nets/${{item.name}}.keras && cp params.yaml reports/
    params:
      - nets.${{item.name}}
    outs:
      - models/nets/${{item.name}}.keras
      - reports/params.yaml:
          cache: false
  normalise-and-split:
    cmd: mkdir -p data/split && echo '{{}}' > data/split/classes.json
    outs:
      - data/split
artifacts:
  mlp-48: {{path: {MODEL}}}
  removed: {{path: models/nets/removed.keras}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run, in a repository, with the files of a DVC remote next to it."""
    project = Project(tmp_path_factory.mktemp("trained") / "project")
    (project.folder / ".dvc").mkdir(parents=True)
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, project.folder / ".dvc")
    (project.folder / "dvc.yaml").write_text(PIPELINE)
    (project.folder / "params.yaml").write_text("nets:\n  mlp-48: {epochs: 3}\n")
    (project.folder / ".gitignore").write_text("/data\n/models\n")
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    project.repro()
    project.commit()
    project.succeed("dvc", "remote", "add", "--default", "storage", str(project.folder.with_name("storage")))
    project.succeed("dvc", "push")
    return project


def copied(trained: Project, folder: Path) -> Project:
    """Copy the project and its DVC remote."""
    project = trained.copy(folder)
    shutil.copytree(trained.folder.with_name("storage"), folder.with_name("storage"))
    edit(project, ".dvc/config", str(trained.folder.parent), str(folder.parent))
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy with a DVC remote, which has the model, and an origin, which has the commits."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    project = copied(trained, tmp_path / "project")
    monkeypatch.chdir(project.folder)
    project.commit()
    project.succeed("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    project.succeed("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    project.succeed("git", "push", "--quiet", "origin", "main")
    return project


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def tags(project: Project) -> list[str]:
    return project.succeed("git", "tag").output.split()


def test_a_release_can_be_fetched_by_version_and_stage(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release("mlp-48", "v1.0.0", "prod") == ["mlp-48@v1.0.0", "mlp-48#prod#1"]
    assert sorted(tags(project)) == ["mlp-48#prod#1", "mlp-48@v1.0.0"]
    project.succeed("git", "push", "--quiet", "origin", "--tags")
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    for origin in (str(tmp_path / "origin.git"), f"file://{tmp_path}/origin.git"):
        for asked in (("--rev", "v1.0.0"), ("--stage", "prod")):
            elsewhere.succeed("dvc", "artifacts", "get", origin, "mlp-48", *asked, "--force")
            assert (elsewhere.folder / "mlp-48.keras").read_bytes() == (project.folder / MODEL).read_bytes()
    # The same version gets another stage, and later commits another version.
    assert release("mlp-48", "v1.0.0", "dev") == ["mlp-48#dev#2"]
    with pytest.raises(UserError, match=r"already in stage 'dev'.*nothing was registered"):
        release("mlp-48", "v1.0.0", "dev")
    with pytest.raises(UserError, match=r"this commit is mlp-48@v1\.0\.0 already.*'gto show mlp-48'"):
        release("mlp-48", "v1.1.0")
    project.succeed("git", "commit", "--quiet", "--allow-empty", "--message", "later")
    project.succeed("git", "push", "--quiet", "origin", "main")
    with pytest.raises(UserError, match=r"mlp-48@v1\.0\.0 is the tag of another commit already"):
        release("mlp-48", "v1.0.0")
    assert release("mlp-48", "v1.1.0") == ["mlp-48@v1.1.0"]
    assert capsys.readouterr().out == ""


def test_a_version_without_class_names_is_released_with_a_note(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    emptied_remote(project)
    project.succeed("dvc", "push", "train-nets")
    assert release("mlp-48", "v1.0.0") == ["mlp-48@v1.0.0"]
    assert "data/split, with the class names" in capsys.readouterr().out


@pytest.mark.parametrize("kept", ["add", "merge"])
def test_an_experiment_that_is_older_than_the_remote_is_released(project: Project, kept: str) -> None:
    project.succeed("git", "checkout", "--quiet", "-B", "main", "HEAD~1")
    project.succeed("dvc", "exp", "run", "--name", "longer", "-S", "nets.mlp-48.epochs=9")
    project.succeed("git", "restore", "--staged", "--worktree", ".")
    project.succeed("git", "reset", "--quiet", "--hard", "origin/main")
    experiments = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    if kept == "add":
        project.succeed("dvc", "exp", "apply", "longer")
        assert "storage" not in project.read(".dvc/config")
        [add] = re.findall(r"^git add .*", experiments, re.MULTILINE)
        project.succeed("bash", "-e", "-c", f"{add}\ngit commit --quiet --message longer\ngit restore .")
    else:
        [merge] = re.findall(r"^dvc exp branch .*\ngit merge .*", experiments, re.MULTILINE)
        project.succeed("bash", "-e", "-c", merge.replace("units-64", "longer"))
    assert "epochs: 9" in project.read("params.yaml")
    assert project.succeed("git", "status", "--porcelain").output == ""
    project.succeed("dvc", "push")
    project.succeed("git", "push", "--quiet", "origin", "main")
    assert release("mlp-48", "v1.0.0", "prod") == ["mlp-48@v1.0.0", "mlp-48#prod#1"]


def edited(project: Project) -> None:
    edit(project, "params.yaml", "epochs: 3", "epochs: 4")


def committed_without_a_run(project: Project) -> None:
    edited(project)
    project.commit()


def committed_without_a_push(project: Project) -> None:
    project.succeed("git", "commit", "--quiet", "--allow-empty", "--message", "later")


def trained_without_a_push(project: Project) -> None:
    edited(project)
    project.repro()
    project.commit()
    project.succeed("git", "push", "--quiet", "origin", "main")


def emptied_remote(project: Project) -> None:
    shutil.rmtree(project.folder.with_name("storage"))


def forgotten_remote(project: Project) -> None:
    """As `dvc exp apply` of an older experiment and `git add --all` do."""
    project.succeed("git", "checkout", "--quiet", "HEAD~1", "--", ".dvc/config")
    project.commit()


def relative_remote(project: Project) -> None:
    project.succeed("dvc", "remote", "modify", "storage", "url", "../storage")
    project.commit()


def remote_of_this_machine(project: Project) -> None:
    forgotten_remote(project)
    project.succeed("dvc", "remote", "add", "--local", "--default", "mine", "../storage")


def pushed_to_another_remote(project: Project) -> None:
    project.succeed("dvc", "remote", "add", "--local", "--default", "mine", "../mine")
    trained_without_a_push(project)
    project.succeed("dvc", "push")


def uncommitted_remote(project: Project) -> None:
    project.succeed("dvc", "remote", "add", "--default", "--force", "storage", "/another")


def invalid_remote(project: Project) -> None:
    edit(project, ".dvc/config", "url = ", "url = nosuch:/")
    project.commit()


def new_report(project: Project) -> None:
    (project.folder / "reports" / "new.json").touch()


def damaged_model(project: Project) -> None:
    (project.folder / MODEL).unlink()
    (project.folder / MODEL).touch()


def unborn_branch(project: Project) -> None:
    project.succeed("git", "-C", "../origin.git", "symbolic-ref", "HEAD", "refs/heads/master")


def origin_that_is_gone(project: Project) -> None:
    shutil.rmtree(project.folder.with_name("origin.git"))


def version_of_a_colleague(project: Project) -> None:
    project.succeed("git", "clone", "--quiet", "../origin.git", "../colleague")
    colleague = Project(project.folder.with_name("colleague"))
    colleague.succeed("git", "commit", "--quiet", "--allow-empty", "--message", "of a colleague")
    colleague.succeed("gto", "register", "mlp-48", "--version", "v1.0.0")
    colleague.succeed("git", "push", "--quiet", "origin", "main", "--tags")
    project.succeed("git", "commit", "--quiet", "--allow-empty", "--message", "ours")
    project.succeed("git", "push", "--quiet", "origin", "HEAD:ours")


def allowed_stages(project: Project) -> None:
    (project.folder / ".gto").write_text("stages: [dev]\n")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (edited, r"not committed: params\.yaml; .*'git add' and 'git commit'"),
        (new_report, r"not committed: reports/new\.json;"),
        (uncommitted_remote, r"not committed: \.dvc/config;"),
        (committed_without_a_run, r"train-nets@mlp-48 must run again: 'dvc repro', then commit"),
        (damaged_model, r"train-nets@mlp-48 must run again.*'dvc checkout'"),
        (forgotten_remote, r"no default remote.*dvc remote add --default"),
        (remote_of_this_machine, r"\.dvc/config has no default remote"),
        (relative_remote, r"is relative.*dvc remote modify storage url /.*/storage$"),
        (invalid_remote, r"Unsupported URL type nosuch"),
        (trained_without_a_push, rf"{MODEL} is not on the remote storage.*: dvc push --remote storage {MODEL}$"),
        (pushed_to_another_remote, rf"{MODEL} is not on the remote storage"),
        (emptied_remote, rf"{MODEL} is not on the remote storage.*: dvc push --remote storage {MODEL}$"),
        (committed_without_a_push, r"none of the Git remotes \(origin\).*: git push origin HEAD:main$"),
        (unborn_branch, r"HEAD of the Git remote origin.*git symbolic-ref HEAD refs/heads/main'$"),
        (origin_that_is_gone, r"git fetch: .*origin\.git"),
        (version_of_a_colleague, r"mlp-48@v1\.0\.0 is the tag of another commit already"),
        (allowed_stages, r"STAGE=prod: .*'\['dev'\]'"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_obstacle_is_named_before_anything_is_registered(
    project: Project, state: Callable[[Project], None], message: str
) -> None:
    state(project)
    before = tags(project)
    with pytest.raises(UserError, match=message) as caught:
        release("mlp-48", "v1.0.0", "prod")
    assert "\n" not in str(caught.value)
    assert set(tags(project)) - {"mlp-48@v1.0.0"} == set(before), "only a colleague's tag was fetched"
    # What the sentence says, if it ends with a command, is enough.
    if (remedy := str(caught.value).rpartition(": ")[2]).startswith(("dvc push", "git push")):
        project.succeed(*shlex.split(remedy))
        assert release("mlp-48", "v1.0.0", "prod") == ["mlp-48@v1.0.0", "mlp-48#prod#1"]


@pytest.mark.parametrize(
    ("name", "version", "stage", "message"),
    [
        ("mlp-84", "v1.0.0", "prod", r"dvc\.yaml, artifacts: unknown model 'mlp-84'; did you mean 'mlp-48'\?"),
        ("removed", "v1.0.0", "prod", r"artifacts\.removed: no stage writes .*params\.yaml does not declare"),
        ("mlp 48", "v1.0.0", "prod", r"GTO refuses mlp 48"),
        ("mlp-48", "1.0.0", "prod", r"VERSION=1\.0\.0 is not a version such as v1\.0\.0"),
        ("mlp-48", "v1.0", "prod", r"VERSION=v1\.0 is not"),
        ("mlp-48", "v1.0.0", "in production", r"STAGE=in production"),
    ],
)
def test_a_wrong_name_version_or_stage_is_refused(
    project: Project, name: str, version: str, stage: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        release(name, version, stage)
    assert tags(project) == []


def test_a_git_without_a_name_of_the_user(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_COMMITTER_{variable}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(UserError, match=r"git config user\.name"):
        release("mlp-48", "v1.0.0", "prod")
    assert tags(project) == []


def test_a_version_whose_stage_cannot_be_assigned_is_not_registered(project: Project) -> None:
    # Git cannot write a tag in a folder of tags whose name is that of a tag.
    project.succeed("git", "tag", "mlp-48#prod#1/x")
    with pytest.raises(UserError, match=r"nothing was registered"):
        release("mlp-48", "v1.0.0", "prod")
    assert tags(project) == ["mlp-48#prod#1/x"]


def test_a_project_in_a_folder_of_a_repository(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    project, course = copied(trained, tmp_path / "course" / "digits"), Project(tmp_path / "course")
    shutil.rmtree(project.folder / ".git")
    course.succeed("git", "init", "--quiet", "--initial-branch", "main")
    (course.folder / ".gitignore").write_text("/storage\n")
    course.commit()
    monkeypatch.chdir(project.folder)
    assert release("mlp-48", "v1.0.0", "prod") == ["digits=mlp-48@v1.0.0", "digits=mlp-48#prod#1"]
    assert "no Git remote" in capsys.readouterr().out
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.succeed("dvc", "artifacts", "get", str(course.folder), "digits:mlp-48", "--stage", "prod")
    assert (elsewhere.folder / "mlp-48.keras").is_file()
    # The full name is accepted as well.
    assert release("digits:mlp-48", "v1.0.0", "dev") == ["digits=mlp-48#dev#2"]


def test_the_target_of_make_takes_its_settings_from_the_command_line_alone() -> None:
    recipe = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "release", "NAME=mlp-48", "VERSION=v1.0.0"],
        cwd=ROOT,
        env={**os.environ, "STAGE": "prod"},
        capture_output=True,
        text=True,
    ).stdout.splitlines()[-1]
    assert recipe == "python -m tools.release --name='mlp-48' --version='v1.0.0' --stage=''"
