"""Signals and exit codes of stages, with real processes: they end promptly, and leave no process and no half file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stages.shared.files.text_files import save_text
from tests.campaigns import signals
from tests.fixtures.small_project import ROOT

PROMPT = 2.0  # seconds
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Places in which a Python signal handler would not run, or where its exception would be lost.
WORK = {
    "a C call that holds the interpreter lock": "ready(); ctypes.PyDLL(None).sleep(60)",
    "a C call in another thread": "threading.Thread(target=ctypes.CDLL(None).sleep, args=[60]).start(); ready()",
    "an import": "import slow",
}
SLOW_MODULE = """
import os, time
print('ready', flush=True)
try:
    time.sleep(60)
except BaseException:  # as TensorFlow does while it initialises
    raise ImportError('initialization failed')
"""
# Stands for DVC or a shell: starts a stage and waits for it.
STARTER = (sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])")

Start = Callable[..., subprocess.Popen[str]]


def _default_signals() -> None:
    """Undo what a test run under nohup or in the background inherited."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `python -m stages.work` with this `main`, in a process group of its own, and wait for its `ready()`."""
    (tmp_path / "stages").mkdir()
    for name in ("__init__.py", "shared"):
        (tmp_path / "stages" / name).symlink_to(ROOT / "stages" / name)
    (tmp_path / "slow.py").write_text(SLOW_MODULE)
    started: list[subprocess.Popen[str]] = []

    def begin(main: str, *, by: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[str]:
        (tmp_path / "stages" / "work.py").write_text(
            "import ctypes, sys, threading, time\nfrom pathlib import Path\n"
            "from stages.shared.errors import UserError\nfrom stages.shared.files.whole_files import replacing\n"
            "from stages.shared.process.run import run\n"
            "def ready():\n    print('ready', flush=True)\n"
            "def main():\n" + "".join(f"    {line}\n" for line in main.splitlines()) + "run('work', main)\n"
        )
        process = subprocess.Popen(
            [*by, sys.executable, "-m", "stages.work"],
            cwd=tmp_path,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_default_signals,
        )
        started.append(process)
        if "ready()" in main or "slow" in main:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        with process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_signal_ends_a_stage_at_once_and_silently(start: Start, work: str, number: signal.Signals) -> None:
    process = start(work)
    process.send_signal(number)
    assert process.communicate(timeout=PROMPT) == ("", "")
    assert process.returncode == -number


def test_a_stage_that_is_ended_leaves_no_half_written_file(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    process = start(
        f"with replacing(Path('{folder}/x.json')) as file:\n"
        "    file.write_text('half')\n    ready()\n    ctypes.PyDLL(None).sleep(60)"
    )
    process.terminate()
    process.communicate(timeout=PROMPT)
    (unfinished,) = folder.iterdir()
    assert unfinished.name.startswith(".writing-")
    save_text(folder / "y.json", "whole")
    assert [path.name for path in folder.iterdir()] == ["y.json"], "the next write removes what was unfinished"


def test_a_signal_that_the_starter_ignores_stays_ignored(start: Start) -> None:
    process = start(
        "ready()\ntime.sleep(0.5)\nprint('done')", by=("sh", "-c", "trap '' INT HUP TERM; exec \"$@\"", "sh")
    )
    for number in ENDING:
        os.killpg(process.pid, number)
    assert (*process.communicate(), process.returncode) == ("done\n", "", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of the parent")
def test_a_stage_ends_with_the_dvc_that_started_it(start: Start) -> None:
    process = start("ready(); ctypes.PyDLL(None).sleep(60)", by=STARTER, DVC_STAGE="work")
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 1
    process.kill()
    assert psutil.wait_procs(family, timeout=PROMPT)[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of the parent")
def test_a_stage_ends_if_the_dvc_that_started_it_ended_before(start: Start, tmp_path: Path) -> None:
    starter = (sys.executable, "-c", "import os, subprocess, sys; subprocess.Popen(sys.argv[1:]); os._exit(0)")
    process = start("time.sleep(0.5)\nPath('outlived').touch()", by=starter, DVC_STAGE="work")
    process.communicate()
    assert not (tmp_path / "outlived").exists()


def test_a_stage_started_by_hand_outlives_its_shell(start: Start, tmp_path: Path) -> None:
    process = start("ready()\ntime.sleep(0.5)\nPath('outlived').touch()", by=STARTER)
    process.kill()
    assert process.communicate()[1] == ""
    assert (tmp_path / "outlived").exists()


@pytest.mark.parametrize(
    ("main", "stderr"),
    [
        ("raise UserError('first line\\nsecond line')", "work: first line\nwork: second line\n"),
        ("raise MemoryError('Unable to allocate 23.4 GiB')", "work: out of memory: Unable to allocate 23.4 GiB\n"),
        ("raise MemoryError", "work: out of memory\n"),
        (
            "class ResourceExhaustedError(Exception): pass  # TensorFlow's\n"
            "raise ResourceExhaustedError('failed to allocate memory [Op:AddV2]\\nmore')",
            "work: out of memory: failed to allocate memory [Op:AddV2]\n",
        ),
        ("raise OSError(12, 'Cannot allocate memory')", "work: out of memory: [Errno 12] Cannot allocate memory\n"),
        (
            "raise OSError(28, 'No space left on device', '/tmp/x')",
            "work: [Errno 28] No space left on device: '/tmp/x'; free disk space, or set TMPDIR to a folder with room "
            "for temporary files\n",
        ),
    ],
)
def test_expected_errors_are_messages_with_exit_code_1(start: Start, main: str, stderr: str) -> None:
    process = start(main)
    assert (*process.communicate(), process.returncode) == ("", stderr, 1)


def test_a_bug_shows_its_traceback(start: Start) -> None:
    process = start("1 / 0")
    assert "ZeroDivisionError" in process.communicate()[1]
    assert process.returncode == 1


def test_importing_stages_and_their_commands_has_no_effect_and_loads_little() -> None:
    program = (
        "import importlib, pathlib, signal, sys\n"
        "for file in pathlib.Path('stages').glob('*/__main__.py'):\n"
        "    importlib.import_module(f'stages.{file.parent.name}.__main__')\n"
        "print([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)], *sys.modules)\n"
    )
    # Under `make coverage` a process would also import what coverage needs.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    handlers, _, modules = done.stdout.partition("] ")
    # As they were: nohup ignores SIGHUP.
    assert handlers == str([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)]).removesuffix("]")
    # Until `run` sets the signals, Ctrl-C would show a traceback.
    assert "stages.train_nets.__main__" in modules.split()
    assert not {"numpy", "pandas", "pydantic", "sklearn", "tqdm", "tensorflow"} & set(modules.split())


@pytest.mark.slow
def test_real_stages_end_cleanly_at_random_moments() -> None:
    outcome = signals.campaign(12)
    assert outcome["went_wrong"] == []
    assert outcome["ended"] >= 6
