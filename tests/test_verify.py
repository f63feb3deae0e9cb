"""`make verify`: what differs from dvc.lock is named, and what it advises mends it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import UserError
from tests.fixtures.damage import overwrite, with_bits_flipped
from tests.fixtures.small_project import ROOT, Project
from tools.verify import verify

FINE = re.compile(r"verify: [\d,]+ files in the workspace are what dvc\.lock names, and [\d,]+ in the cache are .+\n")
NET = "models/nets/dense.keras"


@pytest.fixture
def project(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = finished.copy(tmp_path / "project")
    monkeypatch.chdir(copy.folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return copy


def faults() -> list[str]:
    return [str(fault) for fault in verify().faults]


def flip(path: Path) -> None:
    """Flip a bit; DVC does not see it."""
    content = path.read_bytes()
    overwrite(path, with_bits_flipped(content, len(content) // 2, 1))


def cached(project: Project, out: str) -> Path:
    """Return where the cache has an output."""
    stages = YAML(typ="safe").load(project.lock)["stages"].values()
    md5 = next(entry["md5"] for stage in stages for entry in stage.get("outs", ()) if entry["path"] == out)
    return Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]


def mend(project: Project, fault: str) -> None:
    """Do what a line of `make verify` advises, and see that this mends it."""
    command = fault.partition("; to mend it: ")[2].partition(", or ")[0]
    assert command
    project.succeed("bash", "-c", command)
    assert faults() == []
    assert "up to date" in project.succeed("dvc", "status").output


def test_a_finished_run_is_fine(project: Project) -> None:
    # In a process of its own, as `make verify` is.
    done = subprocess.run([sys.executable, "-P", "-m", "tools.verify"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert FINE.fullmatch(done.stdout)


@pytest.mark.parametrize(
    "file", [NET, "models/predictions/dense.npz", "data/raw/images.npy", "data/split/test/labels.npy"]
)
def test_a_flipped_bit_that_dvc_does_not_see_is_named(project: Project, file: str) -> None:
    assert "up to date" in project.succeed("dvc", "status").output
    flip(Path(file))
    assert "up to date" in project.succeed("dvc", "status").output, "if DVC sees it, 'make verify' is needed no more"
    out = file if file.startswith("models") else "/".join(file.split("/")[:2])
    assert faults() == [f"{file} has been altered; to mend it: rm {file} && dvc checkout {out}"]
    mend(project, faults()[0])


def test_a_flipped_bit_in_the_cache_is_named(project: Project) -> None:
    copy = cached(project, NET)
    flip(copy)
    assert "up to date" in project.succeed("dvc", "status").output
    assert faults() == [
        f"{NET} is as it should be, but its copy in the cache ({copy}) has been altered; "
        f"to mend it: rm -f {copy} && dvc commit {NET}"
    ]
    mend(project, faults()[0])


@pytest.mark.slow
def test_without_a_sound_copy_the_stage_runs_again(project: Project) -> None:
    copy = cached(project, NET)
    before = Path(NET).read_bytes()
    flip(copy)
    flip(Path(NET))
    said = faults()
    assert len(said) == 1
    assert said[0].startswith(
        f"{NET} has been altered, and its copy in the cache ({copy}) has been altered; to mend it:"
    )
    mend(project, said[0])
    assert Path(NET).read_bytes() == before


def test_a_file_that_was_cut_off_is_named(project: Project) -> None:
    size = Path(NET).stat().st_size
    Path(NET).write_bytes(Path(NET).read_bytes()[:100])
    assert faults()[0].startswith(f"{NET} is cut off, 100 of {size:,} bytes; ")
    mend(project, faults()[0])


def test_missing_files_are_named(project: Project) -> None:
    Path(NET).unlink()
    assert faults() == [f"{NET} is missing; to mend it: dvc checkout {NET}"]
    mend(project, faults()[0])
    Path("data/split/classes.json").unlink()
    assert faults() == ["data/split/classes.json is missing; to mend it: dvc checkout data/split"]
    mend(project, faults()[0])
    cached(project, NET).unlink()
    assert "is missing; to mend it: dvc commit" in faults()[0]
    mend(project, faults()[0])


def test_swapped_models_are_both_named(project: Project) -> None:
    for one, other in (
        ("nets/dense.keras", "nets/convolution.keras"),
        ("baselines/linear.skops", "baselines/neighbours.skops"),
    ):
        Path("models", other).write_bytes(Path("models", one).read_bytes())
        assert re.match(rf"models/{other} (has been altered|is cut off)", faults()[0])
        mend(project, faults()[0])


def test_what_an_output_should_not_hold_is_named(project: Project) -> None:
    Path("data/split/more.npy").write_text("x")
    assert faults() == ["data/split/more.npy is no part of data/split; to mend it: rm data/split/more.npy"]
    mend(project, faults()[0])


def test_a_damaged_list_of_a_directory_s_files_is_named(project: Project) -> None:
    listing = cached(project, "data/raw")
    flip(listing)
    assert faults() == [
        f"data/raw has a damaged list of its files in the cache ({listing}); "
        f"to mend it: rm -f {listing} && dvc commit data/raw"
    ]
    mend(project, faults()[0])


@pytest.mark.slow
def test_altered_reports_are_named(project: Project) -> None:
    for file in ("reports/metrics/dense.json", "reports/leaderboard.csv"):
        flip(Path(file))
    said = faults()
    assert sorted(said) == [
        "reports/leaderboard.csv has been altered; to mend it: rm reports/leaderboard.csv && dvc repro",
        # Of a directory that is in Git alone DVC has no list.
        "reports/metrics holds other files than dvc.lock names; to mend it: rm -r reports/metrics && dvc repro",
    ]
    mend(project, said[0])


def test_altered_data_as_published_are_named(project: Project) -> None:
    file = "data/mnist/train-images-idx3-ubyte.gz"
    flip(Path(file))
    assert faults() == [
        f"{file} has been altered: it is not what the results were made of; "
        f"to mend it: git checkout {file}, or dvc repro"
    ]
    mend(project, faults()[0])


@pytest.mark.slow
def test_entries_of_models_that_are_no_longer_declared_are_no_faults(project: Project) -> None:
    project.edit(lambda params: params["nets"].pop("convolution"))
    project.repro()
    assert "train-nets@convolution" in project.lock
    assert not Path("models/nets/convolution.keras").exists()
    assert faults() == []
    copy = cached(project, "models/nets/convolution.keras")
    flip(copy)
    assert faults() == [f"{copy} is not what its name says, and is of another run; to mend it: rm {copy}"]
    mend(project, faults()[0])


def test_a_model_of_another_version_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    here = verify.__globals__["made_by_another_version"].__globals__["version"]
    archives = "stages.shared.files.zip_archives.version"
    monkeypatch.setattr(archives, lambda package: "9.9.9" if package == "keras" else here(package))
    assert [re.sub(r"3\.\d+\.\d+", "3.x", fault) for fault in faults()] == [
        f"models/nets/{name}.keras was saved by Keras 3.x, and this is Keras 9.9.9; "
        f"to mend it: dvc repro --force train-nets@{name}"
        for name in ("dense", "convolution")
    ]


# Cut off within a key; at the end of a line it might be a list of fewer stages, which is in order.
@pytest.mark.parametrize(
    "damage",
    [lambda lock: lock[: lock.index(" md5:") + 3], lambda lock: lock[: lock.rindex(" md5:") + 3], lambda lock: "{"],
)
def test_a_dvc_lock_that_was_cut_off_is_a_sentence(project: Project, damage: Callable[[str], str]) -> None:
    before = project.lock
    Path("dvc.lock").write_text(damage(before))
    with pytest.raises(UserError, match=r"dvc\.lock.*; 'git checkout dvc\.lock' brings the committed one") as caught:
        verify()
    assert "\n" not in str(caught.value)
    project.succeed("git", "checkout", "dvc.lock")
    assert faults() == []
    Path("dvc.lock").unlink()
    with pytest.raises(UserError, match=r"there is no dvc\.lock, so nothing has been run"):
        verify()


@pytest.mark.slow
def test_dvc_sees_a_change_whose_time_is_new_and_mends_it(project: Project) -> None:
    before = Path(NET).read_bytes()
    Path(NET).write_bytes(before[:-1])
    assert NET in project.succeed("dvc", "status").output
    assert project.repro() == ["train-nets@dense"]
    assert Path(NET).read_bytes() == before
