"""What a process inherits: environment variables, files that configure libraries, output that nobody reads."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.small_project import ROOT, Project

# Variables with values that changed the bytes of the small net or baseline, or ended in a traceback, or might do so on
# other processors and with larger models.
VARIABLES = {
    "AUTOGRAPH_STRICT_CONVERSION": "1",
    "BLIS_NUM_THREADS": "1",
    "GOTO_NUM_THREADS": "1",
    "IDP_SKLEARN_VERBOSE": "nonsense",
    "JOBLIB_MULTIPROCESSING": "0",
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "1",
    "KMP_AFFINITY": "disabled",
    "LOKY_MAX_CPU_COUNT": "nonsense",
    "MATPLOTLIBRC": "/dev/null",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_CPU_DISABLE": "AVX2",
    "PANDAS_FUTURE_INFER_STRING": "0",
    "PYTHONHASHSEED": "7",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "error",
    "SCIPY_ARRAY_API": "1",
    "SKLEARN_ASSUME_FINITE": "1",
    "SKLEARN_PAIRWISE_DIST_CHUNK_SIZE": "nonsense",
    "SKLEARN_WORKING_MEMORY": "nonsense",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--nonsense",
    "TZ": "Asia/Tokyo",
    "VECLIB_MAXIMUM_THREADS": "1",
    "XLA_FLAGS": "--nonsense",
}
# Without compiled modules and fonts of an earlier process.
SLOW = {"HOME": "/dev/null", "MPLCONFIGDIR": "/dev/null/matplotlib", "PYTHONOPTIMIZE": "2"}
# Python's oldest encoding, without its remedies.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CONFIGURATIONS = [
    *({"floatx": name} for name in ("float64", "float16", "bfloat16")),
    *({"image_data_format": "channels_first"}, {"epsilon": 0.1}, {"backend": "torch"}),
]
BASELINE, NET = ("stages.train_baselines", "linear"), ("stages.train_nets", "dense")
STAGES = [
    *([f"stages.{name}"] for name in ("check_params", "fetch", "normalise_and_split", "check_models")),
    *(BASELINE, NET),
    *([f"stages.{name}"] for name in ("evaluate", "report")),
    ["stages.plot_weights", "dense"],
]


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a folder with more environment variables."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def results(project: Project) -> dict[str, bytes]:
    """Return every file that is an output of a stage."""
    files = [path for top in ("data", "models", "reports") for path in sorted((project.folder / top).rglob("*"))]
    return {str(path): path.read_bytes() for path in files if path.is_file() and path.parent.name != "timings"}


@pytest.fixture(scope="module")
def project(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project whose stages are run again; they must not change it."""
    copy = finished.copy(tmp_path_factory.mktemp("environment") / "project")
    for path in (copy.folder / "data", copy.folder / "models"):
        for file in path.rglob("*"):
            file.chmod(file.stat().st_mode | stat.S_IWUSR)
    # matplotlib would read this in the current folder.
    (copy.folder / "matplotlibrc").write_text("backend: module://nowhere\nfont.size: 30\nsavefig.dpi: 7\n")
    return copy


def unchanged(project: Project, stage: tuple[str, ...] | list[str], **variables: str) -> None:
    """Run a stage again, and require that it succeeds and writes the same bytes."""
    before = results(project)
    done = run(project.folder, *stage, **variables)
    assert done.returncode == 0, done.stderr
    after = results(project)
    assert [path for path in before | after if before.get(path) != after.get(path)] == []


def configuration(folder: Path, **settings: object) -> dict[str, str]:
    """Return variables that make Keras read a configuration file with these settings."""
    (folder / ".keras").mkdir()
    (folder / ".keras" / "keras.json").write_text(json.dumps(settings))
    return {"HOME": str(folder), "KERAS_HOME": str(folder / ".keras")}


@pytest.mark.parametrize("stage", [BASELINE, NET], ids=["baseline", "net"])
def test_results_do_not_depend_on_the_environment(project: Project, tmp_path: Path, stage: tuple[str, str]) -> None:
    keras = configuration(tmp_path, floatx="float64", image_data_format="channels_first")
    unchanged(project, stage, **{**VARIABLES, **ASCII, "KERAS_HOME": keras["KERAS_HOME"]})


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage[0])
def test_no_stage_depends_on_the_environment(project: Project, tmp_path: Path, stage: tuple[str, ...]) -> None:
    keras = configuration(tmp_path, floatx="float64", image_data_format="channels_first")
    unchanged(project, stage, **{**VARIABLES, **ASCII, **keras})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), {**VARIABLES, **SLOW}.items())
def test_results_do_not_depend_on_a_variable(project: Project, name: str, value: str) -> None:
    for stage in (BASELINE, NET):
        unchanged(project, stage, **{name: value})


@pytest.mark.slow
@pytest.mark.parametrize("settings", CONFIGURATIONS, ids=str)
def test_results_do_not_depend_on_a_configuration_of_keras(
    project: Project, tmp_path: Path, settings: dict[str, object]
) -> None:
    unchanged(project, NET, **configuration(tmp_path, **settings))


@pytest.mark.slow
def test_a_user_without_a_home_folder_gets_no_folder_in_the_project(project: Project) -> None:
    command = ["unshare", "--user", "--map-user=12345", "--map-group=12345", "env", "-u", "HOME"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system allows no process of an unknown user")
    before = sorted(project.folder.iterdir())
    command += [sys.executable, "-m", "stages.plot_weights", "dense"]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(project.folder.iterdir()) == before


# Standard output and error

PROGRAM = r"""
import sys
from pathlib import Path
from stages.shared.process.run import run
def main():
    from stages.shared.process.console import say
    for number in range(20_000):
        say(f"line {number} \u00e9 \U0001f642")
    print("note", file=sys.stderr)
    Path(sys.argv[1]).touch()
run("work", main)
"""


def shell(
    command: str, folder: Path, *arguments: str, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a shell command in which "$@" is Python with these arguments; PIPESTATUS is the exit code."""
    return subprocess.run(
        ["bash", "-c", command + "; exit ${PIPESTATUS[0]}", "bash", sys.executable, *arguments, str(folder / "done")],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "stdout", "stderr"),
    [
        ('"$@" | head -1', "line 0 é \U0001f642\n", "note\n"),
        ('"$@" >&-', "", "note\n"),
        ('"$@" >/dev/null 2>&-', "", ""),
        ('"$@" <&- >&- 2>&-', "", ""),
        ('"$@" 1</dev/null', "", "note\n"),
        ('"$@" >/dev/null 2>/dev/full', "", ""),
        ('"$@" 2>&1 | head -1', "line 0 é \U0001f642\n", ""),
    ],
)
def test_a_program_goes_on_if_nobody_reads_its_output(command: str, stdout: str, stderr: str, tmp_path: Path) -> None:
    done = shell(command, tmp_path, "-c", PROGRAM)
    assert (done.stdout, done.stderr, done.returncode) == (stdout, stderr, 0)
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("stderr", ["work: cannot write to standard output: No space left on device\n", ""])
def test_output_to_a_full_disk_is_one_sentence(stderr: str, tmp_path: Path) -> None:
    done = shell('"$@" >/dev/full' + ("" if stderr else " 2>&1"), tmp_path, "-c", PROGRAM)
    assert (done.stdout, done.stderr, done.returncode) == ("", stderr, 1)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "line 0 \\xe9 \\U0001f642"),
        ({"PYTHONIOENCODING": "ascii:strict"}, "line 0 \\xe9 \\U0001f642"),
        ({"PYTHONIOENCODING": "utf-8", "LC_ALL": "C"}, "line 0 é \U0001f642"),
        (ASCII, "line 0 \\xe9 \\U0001f642"),
    ],
)
def test_characters_that_the_encoding_lacks_are_escaped(variables: dict[str, str], line: str, tmp_path: Path) -> None:
    done = shell('"$@" | head -1', tmp_path, "-c", PROGRAM, **variables)
    assert (done.stdout, done.stderr, done.returncode) == (f"{line}\n", "note\n", 0)


def test_predictions_to_a_reader_that_ends_and_to_a_full_disk(project: Project, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    small = tmp_path / "small.png"
    with Image.open(ROOT / "data" / "examples" / "marker.png") as picture:
        picture.resize((64, 64)).save(small)
    for name in ("done", *("x" * 200 + f"{number}.png" for number in range(200))):
        (pictures / name).symlink_to(small)
    arguments = ("-m", "inference.predict", "--json", "linear", str(pictures))
    done = shell('"$@" | head -1', pictures, *arguments, cwd=project.folder)
    assert (done.stdout, done.stderr, done.returncode) == ("[\n", "", 0)
    done = shell('"$@" >/dev/full', pictures, *arguments, cwd=project.folder)
    full = "predict: cannot write to standard output: No space left on device\n"
    assert (done.stdout, done.stderr, done.returncode) == ("", full, 1)
