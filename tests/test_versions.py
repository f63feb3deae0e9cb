"""Versions of models: registered and promoted in one repository, fetched from its origin by another program."""

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stages.shared.files.skops_models import TRUSTED
from tests.fixtures import published
from tests.fixtures.published import MODELS, content, origin
from tests.fixtures.small_project import ROOT, Project

pytestmark = pytest.mark.slow


class Registry(NamedTuple):
    """A project with two versions of the net "dense", the first in production, and one of "linear".

    Attributes
    ----------
    project : Project
        Its workspace contains the second version.
    first, second : bytes
        The file of the net in each version.
    """

    project: Project
    first: bytes
    second: bytes


@pytest.fixture(scope="module")
def registry(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site-cache"))
        project = published.publish(finished, folder / "project", str(folder / "storage"))
        first = content(project, "dense")
        project.succeed("gto", "register", "dense", "--version", "v1.0.0")
        project.succeed("gto", "register", "linear", "--version", "v1.0.0")
        project.succeed("gto", "assign", "dense", "--version", "v1.0.0", "--stage", "prod")
        project.edit(lambda params: params["nets"]["dense"].update(epochs=2))
        assert "train-nets@dense" in project.repro()
        project.commit()
        project.succeed("gto", "register", "dense", "--bump-minor")
        project.succeed("gto", "assign", "dense", "--version", "v1.1.0", "--stage", "dev")
        published.push(project)
        second = content(project, "dense")
        assert first != second
        yield Registry(project, first, second)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty folder without code and without a DVC cache."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    (tmp_path / "elsewhere").mkdir()
    return Project(tmp_path / "elsewhere")


@pytest.fixture
def changing(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the repository with its own origin, for tests that register and promote."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    project = registry.project.copy(tmp_path / "project")
    project.succeed("git", "clone", "--quiet", "--bare", str(origin(registry.project)), str(origin(project)))
    project.succeed("git", "remote", "set-url", "origin", str(origin(project)))
    return project


def fetched(elsewhere: Project, source: Path, *options: str) -> bytes:
    """Fetch the net to a new file and return its content."""
    got = elsewhere.folder / "got"
    got.unlink(missing_ok=True)
    elsewhere.succeed("dvc", "artifacts", "get", str(source), "dense", *options, "--out", "got")
    return got.read_bytes()


def python(project: Project, code: str) -> str:
    """Run a program and return what it prints."""
    return project.succeed("python", "-c", textwrap.dedent(code)).output


def test_versions_and_stages_are_listed_from_the_origin(registry: Registry, elsewhere: Project) -> None:
    command = ("gto", "show", "--repo", str(origin(registry.project)))
    models = json.loads(elsewhere.succeed(*command, "--json").output)
    assert models["dense"]["version"] == "v1.1.0"
    assert models["dense"]["stage"] == {"dev": "v1.1.0", "prod": "v1.0.0"}
    assert models["linear"]["version"] == "v1.0.0"
    table = elsewhere.succeed(*command, "dense", "--plain").output
    assert [line.split()[:3] for line in table.splitlines() if "v1" in line] == [
        ["dense", "v1.1.0", "dev"],
        ["dense", "v1.0.0", "prod"],
    ]


def test_a_version_is_fetched_by_number_or_stage(registry: Registry, elsewhere: Project) -> None:
    source = origin(registry.project)
    assert fetched(elsewhere, source, "--rev", "v1.0.0") == registry.first
    assert fetched(elsewhere, source, "--rev", "v1.1.0") == registry.second
    assert fetched(elsewhere, source, "--stage", "prod") == registry.first
    assert fetched(elsewhere, source, "--stage", "dev") == registry.second
    assert fetched(elsewhere, source) == registry.second, "the default is the highest version"


def test_a_version_that_is_not_registered_is_an_error(registry: Registry, elsewhere: Project) -> None:
    for options, named in ((("--rev", "v2.0.0"), "v2.0.0"), (("--stage", "test"), "test")):
        ran = elsewhere.run("dvc", "artifacts", "get", str(origin(registry.project)), "dense", *options)
        assert ran.code != 0
        assert "dense" in ran.output
        assert named in ran.output
    assert list(elsewhere.folder.iterdir()) == []


def test_a_program_reads_a_version_with_the_python_api(registry: Registry, elsewhere: Project) -> None:
    printed = python(
        elsewhere,
        f"""
        import hashlib
        import dvc.api

        origin = {str(origin(registry.project))!r}
        for named in ({{"version": "v1.0.0"}}, {{"stage": "dev"}}, {{}}):
            model = dvc.api.artifacts_show("dense", repo=origin, **named)
            content = dvc.api.read(model["path"], repo=origin, rev=model["rev"], mode="rb")
            print(model["path"], hashlib.sha256(content).hexdigest())
        with dvc.api.open(model["path"], repo=origin, rev="dense@v1.0.0", mode="rb") as file:
            print(hashlib.sha256(file.read()).hexdigest())
        """,
    )
    first, second = (hashlib.sha256(content).hexdigest() for content in (registry.first, registry.second))
    path = MODELS["dense"]
    assert printed.splitlines() == [f"{path} {first}", f"{path} {second}", f"{path} {second}", first]


def test_a_promotion_moves_the_stage_forward_or_back(registry: Registry, changing: Project, elsewhere: Project) -> None:
    promote = ("gto", "assign", "dense", "--stage", "prod", "--version")
    # GTO needs --force if the version was in the stage before.
    for command, file in (
        ((*promote, "v1.1.0"), registry.second),
        ((*promote, "v1.0.0", "--force"), registry.first),
    ):
        changing.succeed(*command)
        published.push(changing)
        assert fetched(elsewhere, origin(changing), "--stage", "prod") == file
    shown = json.loads(changing.succeed("gto", "show", "--json").output)
    assert shown["dense"]["stage"]["prod"] == "v1.0.0"
    history = json.loads(changing.succeed("gto", "history", "dense", "--json").output)
    assert len([step for step in history if step["event"] == "assignment" and step["stage"] == "prod"]) == 3


def test_the_workspace_returns_to_a_version_without_running_stages(registry: Registry, changing: Project) -> None:
    assert content(changing, "dense") == registry.second
    compared = changing.succeed("dvc", "params", "diff", "dense@v1.0.0", "dense@v1.1.0", "--json").output
    assert json.loads(compared) == {"params.yaml": {"nets.dense.epochs": {"old": 3, "new": 2, "diff": -1}}}
    changing.succeed("git", "checkout", "--quiet", "dense@v1.0.0")
    changing.succeed("dvc", "checkout")
    assert content(changing, "dense") == registry.first
    assert changing.repro() == []


def test_fetched_models_predict_in_plain_keras_and_scikit_learn(registry: Registry, elsewhere: Project) -> None:
    for name in ("dense", "linear"):
        elsewhere.succeed("dvc", "artifacts", "get", str(origin(registry.project)), name)
    data, predictions = (
        registry.project.folder / part for part in ("data/split/test/images.npy", "models/predictions")
    )
    agreements = python(
        elsewhere,
        f"""
        import keras, numpy, skops.io

        images = numpy.load({str(data)!r})
        net = keras.saving.load_model("dense.keras", safe_mode=True)
        linear = skops.io.load("linear.skops", trusted={list(TRUSTED)!r})
        for name, codes in (
            ("dense", net.predict(images[..., None], verbose=0).argmax(axis=1)),
            ("linear", linear.predict(images.reshape(len(images), -1))),
        ):
            stored = numpy.load({str(predictions)!r} + f"/{{name}}.npz")
            print(name, (codes == stored["test_codes"]).mean())
        """,
    )
    assert agreements.splitlines()[-2:] == ["dense 1.0", "linear 1.0"]


def test_a_class_gets_the_results_of_its_teacher(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    page = (ROOT / "docs" / "class.md").read_text(encoding="utf-8").replace("/srv/class", str(tmp_path / "class"))
    # The environment of the tests is active already.
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    teacher, student = (re.sub(r"^(source|make setup) .*\n", "", block, flags=re.MULTILINE) for block in blocks[:2])
    (tmp_path / "class").mkdir()
    (tmp_path / "home").mkdir()
    finished.copy(tmp_path / "project").succeed("bash", "-e", "-c", teacher)
    assert "up to date" in Project(tmp_path / "home").succeed("bash", "-e", "-c", student).output
    assert Project(tmp_path / "home" / "digits").repro() == []
