"""Stages at the same time, in processes of this machine and on a cluster: the results of a serial run, and faults."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from benchmarks import at_once
from cluster import plan, run_cache, snapshot
from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT, Project

pytestmark = pytest.mark.cluster

SECONDS = 60  # for what takes one or two on a quiet machine
WORK = ("a", "b", "c", "d")
FAST = "distributed.comm.timeouts.connect"  # Dask waits 30 seconds for a scheduler


@pytest.fixture(autouse=True)
def dask(request: pytest.FixtureRequest) -> None:
    if importlib.util.find_spec("distributed") is None and request.config.option.markexpr != "cluster":
        pytest.skip("needs the packages of `make cluster`")


def sleeping(folder: Path, seconds: float, names: tuple[str, ...] = WORK) -> Project:
    """Make a project whose stages sleep: `data`, then `work@NAME`, which write a file each, then `gather`."""
    folder.mkdir()
    for name in ("stages", "tools", "cluster"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "libraries.json", folder)
    training = {"seed": 1, "threads": 1, "train_accuracy_rows": None}
    write_yaml(folder / "params.yaml", {"training": training, "work": dict.fromkeys(names, 1)})
    work = f"sleep {seconds} && test ! -e fail-${{item.name}} && cat data/x > out/${{item.name}}"
    stages = {
        "data": {"cmd": "mkdir -p data && echo 5 > data/x", "outs": ["data"]},
        "work": {
            "matrix": {"name": "${work}"},
            "cmd": f"mkdir -p out && echo started >> $LOG/${{item.name}} && {work}",
            "deps": ["data"],
            "params": ["work.${item.name}"],
            "outs": ["out/${item.name}"],
        },
        "gather": {"cmd": "cat out/* > all.txt", "deps": ["out"], "outs": [{"all.txt": {"cache": False}}]},
    }
    write_yaml(folder / "dvc.yaml", {"stages": stages})
    (folder / ".gitignore").write_text("/data\n/out\n__pycache__\n")
    project = Project(folder)
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    project.succeed("dvc", "init", "--quiet")
    project.commit()
    return project


def write_yaml(path: Path, content: Any) -> None:
    with path.open("w") as file:
        YAML().dump(content, file)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file per stage of a sleeping project, which has a line for each time that the stage began."""
    folder = tmp_path / "log"
    folder.mkdir()
    monkeypatch.setenv("LOG", str(folder))
    return folder


def runs(log: Path) -> dict[str, int]:
    return {path.name: len(path.read_text().splitlines()) for path in sorted(log.iterdir())}


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS} seconds: {what}"
        time.sleep(0.1)


class Cluster:
    """A scheduler and workers on loopback, with a folder each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.address = ""

    def scheduler(self) -> None:
        """Start a scheduler, at another address than before."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self._start("scheduler", "scheduler", f"--scheduler-file={file}", "--port=0", "--dashboard-address=127.0.0.1:0")
        until(lambda: file.is_file() and file.read_text().endswith("}"), "the scheduler's address")
        self.address = json.loads(file.read_text())["address"]

    def worker(self, name: str, **variables: str) -> None:
        """Start a worker that runs one stage at a time."""
        options = ("--nthreads=1", "--resources=stage=1", f"--local-directory={self.folder / name}")
        dashboard = "--dashboard-address=127.0.0.1:0"
        self._start(name, "worker", self.address, *options, dashboard, f"--name={name}", **variables)

    def _start(self, name: str, kind: str, *options: str, **variables: str) -> None:
        code = f"from distributed.cli.dask_{kind} import main; main()"
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", code, "--host=127.0.0.1", *options],
                env={**os.environ, **variables},
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End a process and, as the end of a machine would, its children."""
        process = psutil.Process(self.processes[name].pid)
        for each in [process, *process.children(recursive=True)]:
            each.send_signal(number)
        self.processes.pop(name).wait(SECONDS)

    def close(self) -> None:
        """End all processes."""
        for name in [*self.processes]:
            self.kill(name)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "machines"
    folder.mkdir()
    cluster = Cluster(folder)
    cluster.scheduler()
    yield cluster
    cluster.close()


@contextmanager
def driver(project: Project, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run; it is killed if it has not ended with the block."""
    process = project.start(sys.executable, "-m", "cluster", *options, own_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run(project: Project, *options: str, code: int = 0) -> str:
    ran = project.run(sys.executable, "-m", "cluster", *options)
    assert ran.code == code, ran.output
    return ran.output


def with_remote(project: Project, storage: Path) -> Project:
    project.succeed("dvc", "remote", "add", "--quiet", "--default", "storage", str(storage))
    project.commit()
    return project


def stage_processes(marker: Path) -> list[psutil.Process]:
    """Return the processes that work below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(marker) and process.pid != os.getpid():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


# The plan


def test_stages_that_can_run_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cached = {"outs": ["x"], "deps": ["y"]}
    names = {
        **dict.fromkeys("abc", cached),
        "d": {**cached, "outs": [{"x": {"cache": False}}]},
        "e": {**cached, "outs": [{"x": {"persist": True}}]},
        "f": {**cached, "always_changed": True},
        "g": {**cached, "plots": [{"y": {"cache": False}}]},
        "h": {"outs": ["x"]},
    }
    before = {name: {"start"} for name in "abdefgh"} | {"c": {"a"}, "start": set[str]()}
    write_yaml(Path("dvc.yaml"), {"stages": {**names, "start": cached}})
    assert plan.groups(before, {"start"}, []) == [({"start"}, {"a", "b"})]
    assert plan.groups(before, {"a", "b"}, []) == [(set(), {"a", "b"})]
    assert plan.groups(before, {"a", "b"}, ["c"]) == [], "b is not needed"
    assert plan.groups(before, {"a"}, []) == []
    assert plan.groups(before, set(), []) == []


def test_the_longest_stage_starts_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seconds in {"short": 1.0, "long@x": 30.5}.items():
        plan.timing(name).parent.mkdir(parents=True, exist_ok=True)
        plan.timing(name).write_text(json.dumps({"seconds": seconds, "peak_memory_mb": 1}))
    assert plan.longest_first(["short", "long@x", "unknown"]) == ["unknown", "long@x", "short"]
    assert plan.timing("studies/dvc.yaml:a@b") == Path("studies/reports/timings/a@b.json")


def test_the_key_is_that_of_dvcs_own_run_cache(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a new version of DVC computes another key than `cluster.run_cache`."""
    project = sleeping(tmp_path / "project", 0)
    monkeypatch.chdir(project.folder)
    assert run_cache.keys(["work@a"]) == {"work@a": None}, "its input is missing"
    project.repro()
    entries = {path.parent.name for path in (project.folder / ".dvc/cache/runs").rglob("*") if path.is_file()}
    keys = run_cache.keys(f"work@{name}" for name in WORK)
    assert {*keys.values()} == entries
    assert project.repro() == [], "computing keys changes nothing"


# The snapshot


def test_a_snapshot_is_the_workspace_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    monkeypatch.chdir(project.folder)
    project.succeed("git", "init", "--quiet")
    shutil.copy(ROOT / "libraries.json", ".")
    for name in ("kept", "deleted", "staged", "ä b"):
        Path(name).write_text(name)
    Path("program").write_text("#!/bin/sh\n")
    Path("program").chmod(0o755)
    Path(".gitignore").write_text("ignored\n")
    project.commit()
    Path("deleted").unlink()
    Path("new").write_text("new")
    Path("ignored").write_text("x")
    Path("staged").write_text("edited")
    project.succeed("git", "add", "staged")
    status = project.succeed("git", "status", "--porcelain").output

    archive = snapshot.write(tmp_path / "archives")
    assert snapshot.write(tmp_path / "archives") == archive, "the same name for the same content"
    copy = tmp_path / "copy"
    wanted = snapshot.lay(archive, copy)
    assert wanted == snapshot.environment()
    assert project.succeed("git", "status", "--porcelain").output == status
    names = {path.name for path in copy.iterdir()}
    assert names == {
        "kept",
        "staged",
        "ä b",
        "program",
        ".gitignore",
        "new",
        "libraries.json",
        "cluster.json",
        ".snapshot",
    }
    assert (copy / "staged").read_text() == "edited"
    assert os.access(copy / "program", os.X_OK)

    # The next snapshot: what is gone goes, what the copy has made itself stays.
    (copy / "result").write_text("x")
    before = (copy / "kept").stat().st_mtime_ns
    Path("new").unlink()
    snapshot.lay(snapshot.write(tmp_path / "archives"), copy)
    assert not (copy / "new").exists() and (copy / "result").exists()
    assert (copy / "kept").stat().st_mtime_ns == before, "DVC need not hash it again"


def test_machines_must_have_the_drivers_versions() -> None:
    own = {"python": "3.11", "libraries": {"numpy": "2.1"}, "processor": "x86_64 avx2"}
    assert snapshot.compare(own, own) is None
    with pytest.raises(UserError, match=r"Python 3\.11, the driver has 3\.12"):
        snapshot.compare({**own, "python": "3.12"}, own)
    with pytest.raises(UserError, match=r"numpy 2\.1, the driver has 2\.2"):
        snapshot.compare({**own, "libraries": {"numpy": "2.2"}}, own)
    with pytest.raises(UserError, match="scipy none, the driver has 1"):
        snapshot.compare({**own, "libraries": {"scipy": "1"}}, own)
    assert "processor" in str(snapshot.compare({**own, "processor": "aarch64"}, own))


# On this machine


def test_two_at_once_have_the_results_of_a_serial_run(tmp_path: Path, log: Path) -> None:
    serial, parallel = sleeping(tmp_path / "serial", 0), sleeping(tmp_path / "parallel", 1)
    for project in (serial, parallel):
        text = project.read("dvc.yaml").replace("sleep 1", "sleep 0")
        (project.folder / "dvc.yaml").write_text(text)
    serial.repro()
    output = run(parallel, "--at-once", "2")
    assert output.count("started") == len(WORK) and "0 left" in output
    assert parallel.lock == serial.lock and parallel.read("all.txt") == serial.read("all.txt") == 4 * "5\n"
    assert runs(log) == dict.fromkeys(WORK, 2)

    assert "up to date" in run(parallel, "--at-once", "2")
    # An edit that is not committed.
    parallel.edit(lambda params: params["work"].update(a=2, c=2))
    output = run(parallel, "--at-once", "2")
    assert runs(log) == {"a": 3, "b": 2, "c": 3, "d": 2}
    assert "Running stage 'work" not in output, "DVC restores the results"
    parallel.edit(lambda params: params["work"].update(a=1, c=1))
    run(parallel, "--at-once", "2")
    assert runs(log) == {"a": 3, "b": 2, "c": 3, "d": 2}, "a setting back: from the run cache"
    assert parallel.lock == serial.lock


def test_a_stage_that_fails_lets_the_others_end(tmp_path: Path, log: Path) -> None:
    project = sleeping(tmp_path / "project", 0)
    (project.folder / "fail-b").touch()
    output = run(project, "--at-once", "2", code=1)
    assert "work@b failed" in output and "failed to run: " in output, "what DVC printed"
    assert output.endswith("cluster: 1 of 4 stages failed: work@b\n")
    (project.folder / "fail-b").unlink()
    run(project, "--at-once", "2")
    assert runs(log) == {"a": 1, "b": 2, "c": 1, "d": 1}, "only the one that failed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_ends_leaves_no_process_and_loses_nothing(
    tmp_path: Path, log: Path, number: signal.Signals
) -> None:
    project = sleeping(tmp_path / "project", 3)
    with driver(project, "--at-once", "2") as process:
        until(lambda: len(runs(log)) > 2, "two stages have ended")
        process.send_signal(number)
        assert process.wait(SECONDS) == -number
        until(lambda: not stage_processes(project.folder), "all processes have ended")
    first = runs(log)
    run(project, "--at-once", "2")
    again = {name for name, times in runs(log).items() if times > first.get(name, 0)}
    assert len(again) <= 2 and {*WORK} - {*first} <= again


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda params: params["training"].update(threads=0), ["--at-once", "2"], "training.threads is 0"),
        (lambda params: None, ["--at-once", "0"], "AT_ONCE=0: the number of stages at once must be 1 or more"),
        (lambda params: None, ["--scheduler", "nowhere"], "SCHEDULER=nowhere: "),
    ],
)
def test_one_sentence_for_a_mistake(
    tmp_path: Path, log: Path, change: Callable[[Any], object], options: list[str], message: str
) -> None:
    project = with_remote(sleeping(tmp_path / "project", 0), tmp_path / "storage")
    project.edit(change)
    output = run(project, *options, code=1)
    assert message in output and "Traceback" not in output
    assert runs(log) == {}


# The benchmark


def test_stages_at_once_are_timed(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = sleeping(tmp_path / "project", 0)
    for name, seconds in {"train-nets@x": 2.0, "train-baselines@y": 1.0, "fetch": 0.5, "report": 0.25}.items():
        path = project.folder / plan.timing(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seconds": seconds, "peak_memory_mb": 1}))
    project.commit()
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(at_once, "REPEATS", 1)
    sizes = at_once.Sizes(long=2, seconds=0.5, workers=2, few=2, more=3, numbers=(2,), many=3, short=0.1, scale=0.5)
    rows = at_once.sleeping_stages(sizes)
    assert [row["run"].partition(" ")[0] for row in rows] == ["2", "one", "3", "stages", "3"]
    equal, _, driver, host, idle = rows
    assert equal["serial_seconds"] > 1 and equal["seconds"] > 0.5
    assert driver["seconds"] > 0.3
    per_stage, busy = map(float, re.findall(r"[\d.]+\d", driver["figure"]))
    assert 0 < per_stage < driver["seconds"] and busy > 0
    assert "times the longest, 1 s" in host["figure"]
    assert host["seconds"] > 0.5 * 2.75, "what runs before and after the longest counts"
    assert idle["serial_seconds"] > 0 and idle["seconds"] > 0
    assert project.succeed("git", "status", "--porcelain").output == ""

    pipeline, idle = at_once.whole_pipeline()
    assert pipeline["serial_seconds"] > 0 and pipeline["figure"].endswith(" times faster")
    assert runs(log) == dict.fromkeys(WORK, 2), "once in each clone, none for nothing to do"


# On several machines


def test_machines_have_the_results_of_a_serial_run(tmp_path: Path, log: Path, machines: Cluster) -> None:
    serial = sleeping(tmp_path / "serial", 0)
    serial.repro()
    project = with_remote(sleeping(tmp_path / "project", 0), tmp_path / "storage")
    with driver(project, "--scheduler", machines.address) as process:
        assert process.stdout is not None
        until(lambda: "waiting for workers" in process.stdout.readline(), "the driver waits")
        machines.worker("one")
        machines.worker("two")
        assert process.wait(2 * SECONDS) == 0, process.stdout.read()
    assert project.lock == serial.lock and project.read("all.txt") == serial.read("all.txt")
    assert runs(log) == dict.fromkeys(WORK, 2)
    other = Project(tmp_path / "other")
    project.succeed("git", "clone", "--quiet", str(project.folder), str(other.folder))
    assert "Running stage 'work" not in run(other, "--scheduler", machines.address)
    assert runs(log) == dict.fromkeys(WORK, 2), "another clone: from the remote"


def test_a_machine_that_is_gone(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 3), tmp_path / "storage")
    for name in ("one", "two"):
        machines.worker(name)
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: len(runs(log)) > 2, "two stages have ended")
        machines.kill("one")
        output = process.communicate(timeout=3 * SECONDS)[0]
        assert process.returncode == 0, output
    assert project.read("all.txt") == 4 * "5\n"
    assert sum(runs(log).values()) <= 5, "only the stage of the lost machine ran twice"


def test_a_damaged_input_is_brought_again(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 0), tmp_path / "storage")
    machines.worker("one")
    run(project, "--scheduler", machines.address)
    [data] = [path for path in (machines.folder / "one").rglob("data/x") if ".dvc" not in path.parts]
    data.unlink()
    data.write_text("6\n")
    project.edit(lambda params: params["work"].update(a=2, b=2))
    run(project, "--scheduler", machines.address)
    assert project.read("all.txt") == 4 * "5\n"
    assert runs(log) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_a_lost_scheduler(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), tmp_path / "storage")
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: len(runs(log)) > 1, "a stage has ended")
        machines.kill("scheduler")
        output = process.communicate(timeout=2 * SECONDS)[0]
        assert process.returncode == 1 and "Traceback" not in output, output
        assert "run the same command again" in output
    machines.close()
    machines.scheduler()
    machines.worker("two")
    finished = {path.name for path in (tmp_path / "storage" / "runs").rglob("*") if path.is_file()}
    assert finished, "what had ended is on the remote"
    before = runs(log)
    run(project, "--scheduler", machines.address)
    assert sum(runs(log).values()) <= sum(before.values()) + len(WORK) - 1


def test_a_machine_with_another_version_is_refused(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 0), tmp_path / "storage")
    metadata = tmp_path / "other" / "scipy-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.1\n")
    path = os.pathsep.join([str(tmp_path / "other"), os.environ.get("PYTHONPATH", "")])
    machines.worker("one", PYTHONPATH=path)
    output = run(project, "--scheduler", machines.address, code=1)
    assert "this machine has scipy 0.1, the driver has" in output
    assert runs(log) == {}


def test_a_remote_that_cannot_be_written(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), tmp_path / "storage")
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: runs(log), "a stage has begun")
        (tmp_path / "storage").rename(tmp_path / "away")
        (tmp_path / "storage").touch()
        output = process.communicate(timeout=3 * SECONDS)[0]
        assert process.returncode == 1 and "4 of 4 stages failed" in output, output
    (tmp_path / "storage").unlink()
    (tmp_path / "away").rename(tmp_path / "storage")
    run(project, "--scheduler", machines.address)
    assert project.read("all.txt") == 4 * "5\n"


def test_two_drivers_share_the_work(tmp_path: Path, log: Path, machines: Cluster) -> None:
    projects = [with_remote(sleeping(tmp_path / name, 2), tmp_path / "storage") for name in ("first", "second")]
    with (projects[1].folder / "params.yaml").open("a") as file:
        file.write("# another comment\n")
    for name in ("one", "two"):
        machines.worker(name)
    options = ("--scheduler", machines.address)
    with driver(projects[0], *options) as first, driver(projects[1], *options) as second:
        for process in (first, second):
            output = process.communicate(timeout=3 * SECONDS)[0]
            assert process.returncode == 0, output
    assert runs(log) == dict.fromkeys(WORK, 1)
    assert projects[0].lock == projects[1].lock


# The real pipeline


@pytest.mark.slow
def test_the_small_pipeline_at_once(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    for name in ("tools", "cluster"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    project.edit(lambda params: params["training"].update(threads=1))
    serial = project.copy(tmp_path / "serial")
    serial.repro()
    output = run(project, "--at-once", "2")
    assert "Running stage 'train" not in output and output.count("started") == 4
    assert project.lock == serial.lock
    for folder in ("models", "reports", "data"):
        for path in (serial.folder / folder).rglob("*"):
            if path.is_file() and path.parent.name != "timings":
                assert path.read_bytes() == (project.folder / path.relative_to(serial.folder)).read_bytes(), path
    assert (project.folder / "reports/timings/train-nets@dense.json").is_file()
