"""Ctrl-C, SIGTERM and crashes: real processes that end promptly, with one sentence, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

from tests.campaigns import signals

# Seconds, of work that takes 60, on a machine busy with other tests; `make reliability` counts the real ones.
PROMPT = 20.0
CLOSING = "; nothing half-written is left"

# The other half of a stage sees none of these coming: a library's call that keeps Python's lock, as oneDAL's does,
# one in a thread that Python would wait for, and one that swallows whatever is raised.
LOCKED = "ctypes.PyDLL(None).sleep(60)"
THREAD = "threading.Thread(target=ctypes.CDLL(None).sleep, args=[60]).start()\nready()\ntime.sleep(60)"
DEAF = "while True:\n    try:\n        ready()\n        time.sleep(60)\n    except BaseException:\n        pass"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `python -m stages.work` on these lines, in a session of its own, and wait until it is `ready()`."""
    (tmp_path / "stages").mkdir()
    for name in ("__init__.py", "program", "store"):
        (tmp_path / "stages" / name).symlink_to(ROOT / "stages" / name)
    started: list[subprocess.Popen[str]] = []

    def begin(lines: str, *, imported: str = "", by: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[str]:
        (tmp_path / "stages" / "work.py").write_text(
            "import ctypes, os, signal, subprocess, sys, threading, time\n"
            "def ready():\n    print('ready', os.getpid(), flush=True)\n"
            f"{imported}\n"
            "from pathlib import Path\nfrom stages.program import running\n"
            "from stages.shared.files.whole_files import replacing\n"
            "def main():\n" + "".join(f"    {line}\n" for line in lines.splitlines()) + "run('work', main)\n"
        )
        process = subprocess.Popen(
            [*by, sys.executable, "-m", "stages.work"],
            cwd=tmp_path,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        if "ready()" in lines + imported:
            assert process.stdout.readline().startswith("ready")
        return process

    # A test run in the background ignores Ctrl-C, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield begin
    signal.signal(signal.SIGINT, before)
    for process in started:
        with process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, float]:
    """Send a signal, Ctrl-C as a terminal does: to all; return exit code, stderr and seconds."""
    family = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, said = process.communicate()
    seconds = time.monotonic() - began
    assert psutil.wait_procs(family, timeout=PROMPT)[1] == []
    return process.returncode, said, seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("lines", [f"ready()\n{LOCKED}", THREAD, DEAF, "ready()\ntime.sleep(60)"])
def test_a_signal_ends_a_stage_whatever_it_is_at(start: Start, lines: str, number: signal.Signals) -> None:
    code, said, seconds = end(start(lines), number)
    assert code == 128 + number
    assert said == f"work: {'interrupted' if number == signal.SIGINT else 'terminated'}{CLOSING}\n"
    assert seconds < PROMPT


def test_a_signal_ends_a_stage_that_is_still_importing(start: Start) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        code, said, seconds = end(start("pass", imported=f"ready()\n{LOCKED}"), number)
        assert (code, said.count("\n")) == (128 + number, 1)
        assert seconds < PROMPT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_turns_the_signal_into_an_error_of_its_own(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    # As TensorFlow's modules in C++ do while they are initialised.
    (tmp_path / "tensorflow.py").write_text(
        "import os, time\n"
        "print('ready', os.getpid(), flush=True)\n"
        "try:\n    time.sleep(60)\n"
        "except BaseException:\n    raise ImportError('initialization failed')\n"
    )
    code, said, _ = end(start("start_tensorflow()  # which is ready()"), number)
    assert code == 128 + number
    assert said == f"work: {'interrupted' if number == signal.SIGINT else 'terminated'}{CLOSING}\n"


def test_impatience_changes_nothing(start: Start) -> None:
    process = start(f"ready()\n{LOCKED}")
    while process.poll() is None:  # to its very last step
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.002)
    _, said = process.communicate()
    assert (process.returncode, said) == (130, f"work: interrupted{CLOSING}\n")


@pytest.mark.parametrize("last", [LOCKED, "time.sleep(60)"])
def test_no_half_written_file_and_no_other_process_is_left(start: Start, tmp_path: Path, last: str) -> None:
    process = start(
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "with replacing(Path('models/facts/x.json')) as file:\n"
        f"    file.write_text('half')\n    ready()\n    {last}"
    )
    (unfinished,) = (tmp_path / "models" / "facts").iterdir()
    assert unfinished.read_text() == "half"
    assert end(process, signal.SIGTERM)[0] == 143
    assert list((tmp_path / "models" / "facts").iterdir()) == []


def test_the_cleaning_up_that_python_can_do_is_done(start: Start) -> None:
    process = start("try:\n    ready()\n    time.sleep(60)\nfinally:\n    print('cleaned')")
    os.kill(process.pid, signal.SIGTERM)
    assert process.communicate()[0] == "cleaned\n"


def test_a_crash_is_a_sentence_and_its_last_words_are_told(start: Start, tmp_path: Path) -> None:
    # What TensorFlow says during its import is held back, to leave out its notes.
    (tmp_path / "tensorflow.py").write_text(
        "import os, signal\nos.write(2, b'compiled to use AVX-512\\n')\nos.kill(os.getpid(), signal.SIGILL)"
    )
    process = start("start_tensorflow()")
    assert process.communicate()[1] == (
        "compiled to use AVX-512\nwork: was ended by SIGILL: a library has instructions that this processor lacks\n"
    )
    assert process.returncode == 128 + signal.SIGILL


def test_notes_of_an_import_that_succeeds_are_told_once_and_without_the_dull_ones(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'oneDNN custom operations are on.\\nsomething else\\n')"
    )
    process = start("start_tensorflow()\nos.kill(os.getpid(), signal.SIGKILL)")
    assert process.communicate()[1] == (
        "something else\nwork: was ended by SIGKILL; if nobody did that, memory has run out\n"
    )
    assert process.returncode == 137


def test_exit_codes_and_output_pass_through(start: Start) -> None:
    process = start("print('done')")
    assert (*process.communicate(), process.returncode) == ("done\n", "", 0)
    process = start("from stages.shared.process.console import UserError\nraise UserError('this is wrong')")
    assert (*process.communicate(), process.returncode) == ("", "work: this is wrong\n", 1)


def test_too_little_memory_is_a_sentence(start: Start) -> None:
    process = start("raise MemoryError('Unable to allocate 23.4 GiB')")
    assert process.communicate()[1] == "work: there is too little memory: Unable to allocate 23.4 GiB\n"
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process that its parent was killed")
def test_the_work_does_not_outlive_a_kill(start: Start) -> None:
    process = start(f"ready()\n{LOCKED}")
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    assert psutil.wait_procs([child], timeout=PROMPT)[1] == []


# Stands for DVC: starts a stage and waits for it.
STARTER = (sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])")


def test_a_stage_ends_with_the_dvc_that_started_it(start: Start) -> None:
    process = start(f"ready()\n{LOCKED}", by=STARTER, DVC_STAGE="work")
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 2
    process.kill()
    assert process.communicate(timeout=PROMPT)[1] == (
        f"work: the DVC that started this stage has been killed{CLOSING}\n"
    )
    assert psutil.wait_procs(family, timeout=PROMPT)[1] == []


def test_a_stage_that_dvc_did_not_start_outlives_its_shell(start: Start, tmp_path: Path) -> None:
    process = start("ready()\ntime.sleep(1)\nPath('outlived').touch()", by=STARTER)
    process.kill()
    assert process.communicate()[1] == ""
    assert (tmp_path / "outlived").exists()


def test_what_the_starter_ignores_stays_ignored(start: Start) -> None:
    process = start(
        "ready()\ntime.sleep(0.5)\nprint('done')",
        by=("sh", "-c", "trap '' INT; exec \"$@\"", "sh"),
    )
    os.killpg(process.pid, signal.SIGINT)
    assert (*process.communicate(), process.returncode) == ("done\n", "", 0)


def test_importing_the_package_changes_no_signal() -> None:
    program = "import signal, stages; print(signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(0, ()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "0 set()\n"


@pytest.mark.slow
def test_real_stages_end_cleanly_at_random_moments() -> None:
    outcome = signals.campaign(12)
    assert outcome["went_wrong"] == []
    assert outcome["ended"] >= 6
