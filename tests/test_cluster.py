"""Stages at the same time, in processes of this machine and on a cluster: the results of a serial run, and faults."""

import contextlib
import importlib.util
import json
import logging
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from benchmarks import at_once
from cluster import plan, run_cache, snapshot
from stages.shared.errors import UserError
from tests.fixtures.machines import (
    SECONDS,
    WORK,
    Cluster,
    kept,
    kill_worker,
    processes_below,
    runs,
    sleeping,
    until,
    with_remote,
    write_yaml,
)
from tests.fixtures.small_project import ROOT, Project

pytestmark = pytest.mark.cluster


@pytest.fixture(autouse=True)
def dask(request: pytest.FixtureRequest) -> None:
    if importlib.util.find_spec("distributed") is None and request.config.option.markexpr != "cluster":
        pytest.skip("needs the packages of `make cluster`")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file per stage of a sleeping project, which has a line for each time that the stage began."""
    folder = tmp_path / "log"
    folder.mkdir()
    monkeypatch.setenv("LOG", str(folder))
    return folder


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


def said(output: str) -> list[str]:
    """Return the lines of a driver's output, without those that DVC leaves empty."""
    return [line for line in output.splitlines() if line.strip()]


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
    write_yaml(Path("dvc.yaml"), {"stages": {}})
    Path("studies").mkdir()
    write_yaml(Path("studies/dvc.yaml"), {"stages": {"a": {}, "b": {"wdir": ".."}}})
    for name, seconds in {"short": 1.0, "long@x": 30.5}.items():
        plan.timing(name).parent.mkdir(parents=True, exist_ok=True)
        plan.timing(name).write_text(json.dumps({"seconds": seconds, "peak_memory_mb": 1}))
    assert plan.longest_first(["short", "long@x", "unknown"]) == ["unknown", "long@x", "short"]
    assert plan.timing("studies/dvc.yaml:a@b") == Path("studies/reports/timings/a@b.json")
    assert plan.timing("studies/dvc.yaml:b") == Path("reports/timings/b.json"), "where the stage runs"


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


def test_the_pipeline_of_another_folder(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stages run in its folder, after those of the main pipeline on which they depend."""
    serial, parallel = (sleeping(tmp_path / name, 0, ("a", "b")) for name in ("serial", "parallel"))
    train = "mkdir -p results && echo started >> $LOG/${item} && cat ../out/a > results/${item}"
    matrix = {"matrix": {"seed": [7, 8]}, "cmd": train.replace("item", "item.seed"), "deps": ["../out/a"]}
    foreach = {"foreach": ["x", "y"], "do": {"cmd": train, "deps": ["../out/a"], "outs": ["results/${item}"]}}
    stages = {
        "train": {**matrix, "outs": ["results/${item.seed}"]},
        "each": foreach,
        "sum": {"cmd": "cat results/* > sum.txt", "deps": ["results"], "outs": ["sum.txt"]},
    }
    for project in (serial, parallel):
        (project.folder / "studies").mkdir()
        write_yaml(project.folder / "studies/dvc.yaml", {"stages": stages})
        (project.folder / "studies/.gitignore").write_text("/results\n/sum.txt\n")
        project.commit()
    serial.repro("studies/dvc.yaml")
    log_of_serial = runs(log)
    output = run(parallel, "--at-once", "2", "studies/dvc.yaml:train@7")
    assert "studies/dvc.yaml:train@8" not in output and (parallel.folder / "studies/results/7").is_file()
    output = run(parallel, "--at-once", "2", "studies/dvc.yaml")
    assert "studies/dvc.yaml:train@8: started" in output and "studies/dvc.yaml:each@x: started" in output
    assert parallel.read("studies/dvc.lock") == serial.read("studies/dvc.lock") and parallel.lock == serial.lock
    assert runs(log) == {name: 2 * times for name, times in log_of_serial.items()}, "b is not needed"
    monkeypatch.chdir(parallel.folder)
    found = plan.groups(plan.graph(), {"data", *plan.stages(["studies/dvc.yaml"])}, [])
    assert found == [({"data"}, {"work@a", "work@b"})], "without a target, the main pipeline alone"
    with pytest.raises(UserError, match="'no-such' not found"):
        plan.stages(["no-such"])


def test_a_table_on_a_terminal(tmp_path: Path, log: Path) -> None:
    project = sleeping(tmp_path / "project", 2)
    timings = project.folder / "reports/timings"
    timings.mkdir(parents=True)
    (timings / "work@a.json").write_text(json.dumps({"seconds": 61.0, "peak_memory_mb": 1}))
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 100))
    command = (sys.executable, "-m", "cluster", "--at-once", "2")
    with os.fdopen(writer, "w") as terminal:
        process = project.start(*command, output=terminal, own_session=True)
    shown = b""
    with contextlib.suppress(OSError):  # at the end
        while part := os.read(reader, 4096):
            shown += part
    os.close(reader)
    assert process.wait(SECONDS) == 0
    text = shown.decode()
    assert "stage" in text and "last time" in text
    assert re.search(r"work@a +tcp://127\.0\.0\.1:\d+ +\d\d:\d\d:\d\d +\d+ s +1:01 min", text)
    assert re.search(r"2 running, 2 waiting, 0 done, about \d:\d\d min left", text)
    assert text.count("done in") == 4 and "started" not in text
    assert "\x1b[?25l" not in text, "the cursor stays, also when Ctrl-C ends the driver"


def test_the_time_left() -> None:
    from cluster import progress

    board = progress.Board({"a": 100.0, "b": None, "c": 20.0, "d": 12.0})
    assert board.seconds_left() is None, "nothing runs"
    board.began = {"a": time.time() - 40, "b": time.time()}
    assert board.seconds_left() == pytest.approx((60 + 44 + 20 + 12) / 2, abs=1), "b: as the mean of the others"
    board.began, board.done = {"a": time.time() - 40}, ["b", "c", "d"]
    assert board.seconds_left() == pytest.approx(60, abs=1)
    board.began = {"a": time.time() - 140}
    assert board.seconds_left() == 0, "longer than last time"


def test_a_worker_of_this_machine_that_is_killed(tmp_path: Path, log: Path) -> None:
    project = sleeping(tmp_path / "project", 2)
    with driver(project, "--at-once", "2") as process:
        until(lambda: len(runs(log)) > 1, "two stages run")
        kill_worker(process.pid, signal.SIGKILL)
        output = process.communicate(timeout=3 * SECONDS)[0]
        assert process.returncode == 0, output
    assert "failed" not in output and "Traceback" not in output and "distributed" not in output, output
    assert sum(runs(log).values()) <= 6, "only the stages that ran then ran twice"


def send(process: subprocess.Popen[str], sent: str) -> signal.Signals:
    """Send a signal to a driver; "Ctrl-C" to its process group, as from a terminal."""
    if sent.startswith("Ctrl-C"):
        for _ in range(2 if sent.endswith("twice") else 1):
            os.killpg(process.pid, signal.SIGINT)
        return signal.SIGINT
    number = signal.SIGKILL if sent == "kill -9" else signal.SIGTERM
    process.send_signal(number)
    return number


@pytest.mark.parametrize("sent", ["kill -9", "SIGTERM", "Ctrl-C twice"])
def test_a_driver_that_ends_ends_dvc(tmp_path: Path, log: Path, sent: str) -> None:
    project = sleeping(tmp_path / "project", 0)
    (project.folder / "dvc.yaml").write_text(
        project.read("dvc.yaml").replace("mkdir -p data", "touch begun; sleep 3; mkdir data")
    )
    with driver(project, "--at-once", "2") as process:
        until((project.folder / "begun").exists, "DVC runs the first stage")
        number = send(process, sent)
        output = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == -number and "Traceback" not in output, output
        until(lambda: not processes_below(project.folder), "all processes have ended")
    assert not (project.folder / "dvc.lock").exists(), "DVC has not gone on"


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        *(("this machine", sent) for sent in ("kill -9", "SIGTERM", "Ctrl-C", "Ctrl-C twice")),
        ("machines", "kill -9"),
        ("machines", "Ctrl-C twice"),
    ],
)
def test_a_driver_that_ends_leaves_no_process_and_loses_nothing(
    tmp_path: Path, log: Path, request: pytest.FixtureRequest, where: str, sent: str
) -> None:
    project, options, folder = sleeping(tmp_path / "project", 2), ["--at-once", "2"], tmp_path / "project"
    cache = folder / ".dvc/cache"
    if where == "machines":
        machines: Cluster = request.getfixturevalue("machines")
        machines.worker("one")
        cache = tmp_path / "storage"
        with_remote(project, cache)
        options, folder = ["--scheduler", machines.address], machines.folder / "one"
    with driver(project, *options) as process:
        until(lambda: kept(cache), "a stage has ended")
        number = send(process, sent)
        output = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == -number
        assert said(output)[-1].startswith("work@"), output
        until(lambda: not processes_below(folder), "all processes have ended")
    first, done = runs(log), kept(cache)
    run(project, *options)
    again = {name for name, times in runs(log).items() if times > first.get(name, 0)}
    assert len(again) <= len(WORK) - done and {*WORK} - {*first} <= again


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda params: params["training"].update(threads=0), ["--at-once", "2"], "training.threads is 0"),
        (lambda params: params.update(nets={"dense": {"threads": 0}}), ["--at-once", "2"], "nets.dense.threads is 0"),
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


def test_a_worker_that_ends_late_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    from cluster import on_dask

    close = LocalCluster.close

    def late(cluster: LocalCluster, timeout: float | None = None) -> None:
        close(cluster, timeout)
        raise TimeoutError

    monkeypatch.setattr(LocalCluster, "close", late)
    with on_dask.connect(None, 3, tmp_path) as client:
        assert on_dask.slots(client) == 3


# The benchmark


def test_dasks_own_messages_are_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import on_dask

    monkeypatch.setattr(sys, "warnoptions", [*sys.warnoptions])
    with on_dask.connect(None, 2, tmp_path) as client:
        for name in ("distributed.worker", "distributed.nanny", "distributed.scheduler", "distributed.client"):
            logging.getLogger(name).error("in the driver")
            client.run(logging.getLogger(name).error, "in the worker")
    assert capfd.readouterr() == ("", "")


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


def test_outputs_that_dvc_does_not_cache(tmp_path: Path, log: Path, machines: Cluster) -> None:
    """Those of a stage before come with the workspace, and those of the stage come back."""
    train = "mkdir -p results && echo started >> $LOG/${item.seed} && cat plans/p >> results/${item.seed}"
    stages = {
        "plan": {"cmd": "mkdir -p plans && cp ../out/a plans/p", "deps": ["../out/a"], "outs": [uncached("plans")]},
        "train": {
            "matrix": {"seed": [7, 8]},
            "cmd": train,
            "deps": ["plans/p"],
            "outs": [uncached("results/${item.seed}", persist=True)],
            "meta": {"at_once": True},
        },
    }
    serial, project, here = (sleeping(tmp_path / name, 0, ("a", "b")) for name in ("serial", "project", "here"))
    for each in (serial, project, here):
        (each.folder / "studies/results").mkdir(parents=True)
        write_yaml(each.folder / "studies/dvc.yaml", {"stages": stages})
        (each.folder / "studies/results/7").write_text("earlier\n")  # stays, because it persists
        each.commit()
    serial.repro("studies/dvc.yaml")
    machines.worker("one")
    machines.worker("two")
    with_remote(project, tmp_path / "storage")
    for each, options in ((project, ("--scheduler", machines.address)), (here, ("--at-once", "2"))):
        output = run(each, *options, "studies/dvc.yaml")
        assert "studies/dvc.yaml:train@7: started" in output and "studies/dvc.yaml:train@8: started" in output
        assert each.read("studies/results/7") == "earlier\n5\n" == serial.read("studies/results/7")
        locks = [YAML(typ="safe").load(one.read("studies/dvc.lock")) for one in (each, serial)]
        assert locks[0] == locks[1], "but for the order of the stages, which is that in which they ended"
        assert "up to date" in run(each, *options, "studies/dvc.yaml")
    assert runs(log) == {"7": 3, "8": 3, "a": 3}


def uncached(path: str, **options: bool) -> dict[str, Any]:
    return {path: {"cache": False, **options}}


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


@pytest.mark.parametrize(
    ("what", "number"), [("machine", signal.SIGKILL), ("machine", signal.SIGTERM), ("worker", signal.SIGKILL)]
)
def test_a_machine_that_is_gone(
    tmp_path: Path, log: Path, machines: Cluster, what: str, number: signal.Signals
) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), tmp_path / "storage")
    for name in ("one", "two"):
        machines.worker(name)
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: len(runs(log)) > 2, "a stage has ended, and two run")
        if what == "machine":
            machines.kill("one", number)
        else:
            kill_worker(machines.processes["one"].pid, number)
        output = process.communicate(timeout=3 * SECONDS)[0]
        assert process.returncode == 0, output
    assert "failed" not in output and "Traceback" not in output
    assert project.read("all.txt") == 4 * "5\n"
    assert sum(runs(log).values()) <= 5, "only the stage of the lost machine ran twice"


def test_the_only_machine_goes_and_another_comes(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), tmp_path / "storage")
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        assert process.stdout is not None
        until(lambda: "work@a: started" in process.stdout.readline(), "a stage is sent")
        until(lambda: runs(log), "it runs")
        machines.kill("one", signal.SIGTERM)
        until(lambda: "waiting for workers" in process.stdout.readline(), "the driver waits")
        machines.worker("two")
        output = process.communicate(timeout=3 * SECONDS)[0]
        assert process.returncode == 0 and "failed" not in output, output
    assert {**runs(log), "a": 1} == dict.fromkeys(WORK, 1)


def test_a_stage_that_fails_on_a_machine(tmp_path: Path, log: Path, machines: Cluster) -> None:
    project = with_remote(sleeping(tmp_path / "project", 0), tmp_path / "storage")
    (project.folder / "fail-b").touch()
    machines.worker("one")
    output = run(project, "--scheduler", machines.address, code=1)
    assert "work@b failed on tcp://" in output and output.endswith("cluster: 1 of 4 stages failed: work@b\n")
    (project.folder / "fail-b").unlink()
    run(project, "--scheduler", machines.address)
    assert runs(log) == {"a": 1, "b": 2, "c": 1, "d": 1}, "only the one that failed"


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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_scheduler(tmp_path: Path, log: Path, machines: Cluster, number: signal.Signals) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), tmp_path / "storage")
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: len(runs(log)) > 1, "a stage has ended")
        machines.kill("scheduler", number)
        output = process.communicate(timeout=2 * SECONDS)[0]
        assert process.returncode == 1 and "failed" not in output and "Traceback" not in output, output
        assert said(output)[-1].endswith("run the same command again: the results of finished stages are kept"), output
    machines.close()
    machines.scheduler()
    machines.worker("two")
    assert kept(tmp_path / "storage"), "what had ended"
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


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a file system of its own, of 1 MB."""
    folder = tmp_path / "storage"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_remote_that_is_full(tmp_path: Path, log: Path, machines: Cluster, storage: Path) -> None:
    project = with_remote(sleeping(tmp_path / "project", 2), storage)
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: runs(log), "a stage has begun")
        with (storage / "others").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        output = process.communicate(timeout=3 * SECONDS)[0]
    assert process.returncode == 1 and "Traceback" not in output, output
    assert output.count("its results are not on the DVC remote, although it has run: is the remote full?") == 4
    assert "4 of 4 stages failed" in said(output)[-1]
    (storage / "others").unlink()
    run(project, "--scheduler", machines.address)
    assert project.read("all.txt") == 4 * "5\n"
    assert runs(log) == dict.fromkeys(WORK, 1), "the machine has kept the results"


def test_a_remote_that_is_lost(tmp_path: Path, log: Path, machines: Cluster) -> None:
    storage = tmp_path / "storage"
    project = with_remote(sleeping(tmp_path / "project", 2), storage)
    machines.worker("one")
    with driver(project, "--scheduler", machines.address) as process:
        until(lambda: len(runs(log)) > 1, "a stage has ended")
        storage.rename(tmp_path / "away")
        storage.touch()
        output = process.communicate(timeout=3 * SECONDS)[0]
    assert process.returncode == 1 and "Traceback" not in output, output
    output = run(project, "--scheduler", machines.address, code=1)
    [sentence] = said(output)
    assert sentence.startswith("cluster: dvc push: ") and str(storage) in sentence
    before = runs(log)
    storage.unlink()
    (tmp_path / "away").rename(storage)
    run(project, "--scheduler", machines.address)
    assert project.read("all.txt") == 4 * "5\n"
    assert {**runs(log), **before} == {**runs(log), **dict.fromkeys(before, 1)}, "the machine has kept the results"


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
