"""`make verify`: each file that differs from dvc.lock is named, and the suggested command restores it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import UserError
from tests.fixtures.damage import overwrite, with_bits_flipped
from tests.fixtures.small_project import ROOT, Project
from tools.verify import Fault, artifacts_without_model, verify

NET = "models/nets/dense.keras"


@pytest.fixture
def project(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = finished.copy(tmp_path / "project")
    monkeypatch.chdir(copy.folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return copy


def flip(path: Path) -> None:
    """Flip one bit, so that DVC does not notice."""
    content = path.read_bytes()
    overwrite(path, with_bits_flipped(content, len(content) // 2, 1))


def cached(project: Project, out: str) -> Path:
    """Return the path of an output in the cache."""
    stages = YAML(typ="safe").load(project.lock)["stages"].values()
    md5 = next(entry["md5"] for stage in stages for entry in stage.get("outs", ()) if entry["path"] == out)
    return Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]


def the_fault() -> Fault:
    """Verify, and return the only fault."""
    (fault,) = verify()
    return fault


def restore(project: Project, fault: Fault) -> None:
    """Run the suggested command, and check that nothing differs any more."""
    project.succeed("bash", "-c", fault.remedy.partition(", or ")[0])
    assert verify() == []
    assert "up to date" in project.succeed("dvc", "status").output


def test_a_finished_run_verifies(project: Project) -> None:
    # In a process of its own, like `make verify`.
    command = [sys.executable, "-P", "-m", "tools.verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    flip(Path(NET))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"verify: {the_fault()}\n"
    assert NET in done.stderr
    assert "dvc checkout" in done.stderr


@pytest.mark.parametrize(
    "file", [NET, "models/predictions/dense.npz", "data/raw/images.npy", "data/split/test/labels.npy"]
)
def test_a_flipped_bit_that_dvc_does_not_notice_is_named(project: Project, file: str) -> None:
    assert "up to date" in project.succeed("dvc", "status").output
    flip(Path(file))
    assert "up to date" in project.succeed("dvc", "status").output, "if DVC notices it, 'make verify' is not needed"
    out = file if file.startswith("models") else "/".join(file.split("/")[:2])
    fault = the_fault()
    assert (fault.path, fault.remedy) == (Path(file), f"rm -rf {file} && dvc checkout {out}")
    restore(project, fault)


@pytest.mark.parametrize("out", [NET, "data/raw"], ids=["file", "list of a directory's files"])
@pytest.mark.parametrize("damage", [flip, Path.unlink], ids=["altered", "missing"])
def test_a_damaged_or_missing_copy_in_the_cache_is_named(
    project: Project, out: str, damage: Callable[[Path], None]
) -> None:
    copy = cached(project, out)
    damage(copy)
    fault = the_fault()
    assert (fault.path, fault.remedy) == (Path(out), f"rm -f {copy} && dvc commit {out}")
    assert f"{'damaged' if copy.exists() else 'missing'} in the cache ({copy})" in fault.what
    restore(project, fault)


@pytest.mark.slow
def test_without_an_intact_copy_the_stage_runs_again(project: Project) -> None:
    copy = cached(project, NET)
    before = Path(NET).read_bytes()
    assert "up to date" in project.succeed("dvc", "status").output
    flip(copy)
    flip(Path(NET))
    assert "up to date" in project.succeed("dvc", "status").output, "DVC notices neither"
    fault = the_fault()
    assert fault.path == Path(NET)
    assert str(copy) in fault.what
    assert "dvc repro" in fault.remedy
    restore(project, fault)
    assert Path(NET).read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (Path.unlink, "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "differs"),
        (lambda path: (path.unlink(), path.mkdir()), ""),
    ],
    ids=["missing", "truncated", "replaced by a directory"],
)
@pytest.mark.parametrize(
    ("file", "out"), [(NET, NET), ("data/split/classes.json", "data/split")], ids=["file", "in a directory"]
)
def test_a_missing_or_truncated_file_is_named(
    project: Project, file: str, out: str, damage: Callable[[Path], object], what: str
) -> None:
    damage(Path(file))
    fault = the_fault()
    assert (fault.path, fault.remedy) == (Path(file), f"rm -rf {file} && dvc checkout {out}")
    assert what in fault.what
    restore(project, fault)


def test_swapped_models_are_both_named(project: Project) -> None:
    for one, other in (
        ("nets/dense.keras", "nets/convolution.keras"),
        ("baselines/linear.skops", "baselines/neighbours.skops"),
    ):
        Path("models", other).write_bytes(Path("models", one).read_bytes())
        fault = the_fault()
        assert fault.path == Path("models", other)
        restore(project, fault)


def test_an_additional_file_in_an_output_is_named(project: Project) -> None:
    Path("data/split/more.npy").write_text("x")
    fault = the_fault()
    assert (fault.path, fault.remedy) == (Path("data/split/more.npy"), "rm data/split/more.npy")
    restore(project, fault)


@pytest.mark.slow
def test_altered_reports_are_named(project: Project) -> None:
    for file in ("reports/metrics/dense.json", "reports/leaderboard.csv"):
        flip(Path(file))
    faults = verify()
    # DVC has no list of the files of a directory that is only in Git.
    assert {str(fault.path): fault.remedy for fault in faults} == {
        path: f"rm -rf {path} && dvc repro" for path in ("reports/leaderboard.csv", "reports/metrics")
    }
    restore(project, faults[0])


def test_altered_source_data_are_named(project: Project) -> None:
    file = "data/mnist/train-images-idx3-ubyte.gz"
    flip(Path(file))
    fault = the_fault()
    assert (fault.path, fault.remedy) == (Path(file), f"git checkout {file}, or dvc repro")
    restore(project, fault)


@pytest.mark.slow
def test_files_of_models_that_are_no_longer_declared_are_checked_in_the_cache_only(project: Project) -> None:
    project.edit(lambda params: params["nets"].pop("convolution"))
    project.repro()
    assert "train-nets@convolution" in project.lock
    assert not Path("models/nets/convolution.keras").exists()
    assert verify() == []
    copy = cached(project, "models/nets/convolution.keras")
    flip(copy)
    fault = the_fault()
    assert (fault.path, fault.remedy) == (copy, f"rm {copy}")
    restore(project, fault)


# Truncated within a key; at the end of a line the rest could be a valid file with fewer stages.
@pytest.mark.parametrize(
    "damage",
    [lambda lock: lock[: lock.index(" md5:") + 3], lambda lock: lock[: lock.rindex(" md5:") + 3], lambda lock: "{"],
)
def test_a_truncated_or_missing_dvc_lock_is_one_sentence(project: Project, damage: Callable[[str], str]) -> None:
    Path("dvc.lock").write_text(damage(project.lock))
    with pytest.raises(UserError, match=r"dvc\.lock.*'git checkout dvc\.lock'") as caught:
        verify()
    assert "\n" not in str(caught.value)
    project.succeed("git", "checkout", "dvc.lock")
    assert verify() == []
    Path("dvc.lock").unlink()
    with pytest.raises(UserError, match=r"dvc\.lock is missing.*'dvc repro'"):
        verify()


@pytest.mark.slow
def test_dvc_notices_a_change_with_a_new_modification_time_and_restores_the_file(project: Project) -> None:
    before = Path(NET).read_bytes()
    Path(NET).write_bytes(before[:-1])
    assert NET in project.succeed("dvc", "status").output
    assert project.repro() == [], "DVC's run cache has the file"
    assert Path(NET).read_bytes() == before


def test_an_artifact_whose_model_is_gone_is_named(project: Project) -> None:
    assert artifacts_without_model() == []
    project.edit(lambda params: params["nets"].pop("convolution"))
    (line,) = artifacts_without_model()
    assert line.startswith("dvc.yaml, artifacts.convolution: no stage writes models/nets/convolution.keras, because")
    command = [sys.executable, "-P", "-m", "tools.verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and line in done.stderr


def test_data_that_dvc_add_keeps_are_verified(project: Project) -> None:
    folder = Path("data/mine")
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a picture")
    project.succeed("dvc", "add", str(folder))
    assert verify() == []
    flip(folder / "a.png")
    fault = the_fault()
    assert (fault.path, fault.remedy) == (folder / "a.png", f"rm -rf {folder}/a.png && dvc checkout {folder}")
