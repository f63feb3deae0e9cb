"""The commands of docs/cluster.md: the small pipeline on other machines, with the results of a serial run."""

import importlib.util
import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures import servers
from tests.fixtures.pages import ENVIRONMENT, block, follow, require_environment
from tests.fixtures.small_project import ROOT, Project, prepare, small, stages_run

pytestmark = pytest.mark.cluster

PAGE = "docs/cluster.md"
MACHINES = ("one", "two", "three")
SECONDS = 60  # for Dask to end, which takes three on a quiet machine


def require(*modules: str) -> None:
    """Skip a test that lacks packages or the SSH server; in CI, it fails."""
    require_environment()
    lacking = [f"{module} ('make cluster remotes')" for module in modules if importlib.util.find_spec(module) is None]
    if "dvc_ssh" in modules and not servers.sshd():
        lacking.append("an OpenSSH server (Debian: openssh-server)")
    if lacking:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"needs {' and '.join(lacking)}")


def one_thread(params: dict[str, Any]) -> None:
    small(params)
    params["training"]["threads"] = 1


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project whose stages before the models have run."""
    project = prepare(tmp_path_factory.mktemp("begun") / "project", one_thread)
    for name in ("tools", "cluster"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "requirements.txt", "requirements-remotes.txt", "requirements-cluster.txt"):
        shutil.copy(ROOT / name, project.folder)
        os.utime(project.folder / name, (0, 0))  # older than the environment
    project.repro("check-models")
    project.commit()
    return project


@pytest.fixture(scope="module")
def serial(begun: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after `dvc repro`."""
    project = begun.copy(tmp_path_factory.mktemp("serial") / "project")
    project.repro()
    return project


def assert_same(project: Project, serial: Project) -> None:
    """Compare dvc.lock and every file of data, models and reports except timings."""
    assert project.lock == serial.lock
    for folder in ("data", "models", "reports"):
        for path in (serial.folder / folder).rglob("*"):
            if path.is_file() and path.parent.name != "timings":
                assert path.read_bytes() == (project.folder / path.relative_to(serial.folder)).read_bytes(), path


def test_four_at_once(begun: Project, serial: Project, tmp_path: Path) -> None:
    require("distributed")
    project = begun.copy(tmp_path / "project")
    output = project.succeed(sys.executable, "-m", "cluster", "--at-once", "4").output
    assert output.count(": started") == 4
    assert not [stage for stage in stages_run(output) if stage.startswith("train")]
    assert_same(project, serial)
    assert (project.folder / "reports/timings/train-nets@dense.json").is_file()


def test_three_machines_over_ssh_with_tls(
    begun: Project, serial: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("distributed", "dvc_ssh")
    port = servers.free_port()
    address = f"tls://127.0.0.1:{port}"
    project = begun.copy(tmp_path / "project")
    with servers.ssh(tmp_path, MACHINES) as remote:
        for name, value in remote.environment.items():
            monkeypatch.setenv(name, value)
        path = f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}"
        (project.folder / ".venv").symlink_to(ENVIRONMENT)
        project.succeed("dvc", "remote", "add", "--default", "storage", remote.url)
        project.commit()
        home = Path(os.environ["HOME"])
        follow(project, PAGE, "tls")
        for name in MACHINES:
            # All that a machine needs.
            (tmp_path / name / "digits").mkdir()
            (tmp_path / name / "digits" / ".venv").symlink_to(ENVIRONMENT)
            (tmp_path / name / ".config").symlink_to(home / ".config")

        two = block(PAGE, "ssh").splitlines()[2]
        here = {
            two: f"{two}\n{two.replace('ssh two', 'ssh three')}",
            "tcp://10.0.0.1:8786": address,
            "--host tcp://10.0.0.1": f"--host tls://127.0.0.1 --port {port} --dashboard-address 127.0.0.1:0",
            "--nthreads 2 --resources stage=2": "--nthreads 1 --resources stage=1 --local-directory ~/work",
        }
        try:
            output = follow(project, PAGE, "ssh", here, PATH=path)
            follow(project, PAGE, "stop", {"tcp://10.0.0.1:8786": address})
        finally:
            _, left = psutil.wait_procs(dask_processes(tmp_path), SECONDS)
            for process in left:
                process.kill()
    assert not left
    assert output.count(": started") == 4
    assert len({*re.findall(r"done in .* on (tls://\S+),", output)}) > 1, output
    assert not [stage for stage in stages_run(output) if stage.startswith("train")]
    assert_same(project, serial)


def dask_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes of Dask that run in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder) and "dask" in " ".join(process.cmdline()):
                found.append(process)
    return found


CONNECT = """
import sys
from pathlib import Path

from cluster.on_dask import connect
from stages.shared.process.run import run


def main():
    with connect(sys.argv[1], 1, Path()):
        print("connected")


run("cluster", main)
"""


def test_a_driver_without_the_certificate(tmp_path: Path) -> None:
    require("distributed")
    for name in ("right", "other", "gone", "none"):
        (tmp_path / name).mkdir()
        if name != "none":
            follow(Project(tmp_path / name), PAGE, "tls", HOME=str(tmp_path / name))
    (tmp_path / "gone" / ".config" / "dask" / "key.pem").unlink()

    def connect(home: str, address: str) -> str:
        # A process each: Dask can stop for ever if a client is made in a process after one that failed.
        return Project(ROOT).run("env", f"HOME={tmp_path / home}", sys.executable, "-c", CONNECT, address).output

    port = servers.free_port()
    options = ["--host", "tls://127.0.0.1", "--port", str(port), "--no-dashboard"]
    command = ["env", f"HOME={tmp_path / 'right'}", str(ENVIRONMENT / "bin" / "dask"), "scheduler", *options]
    with servers.running(command, port, tmp_path / "log"):
        assert connect("right", f"tls://127.0.0.1:{port}") == "connected\n"
        for home, kind, reason in (
            ("none", "tls", "no certificate of this machine"),
            ("gone", "tls", "no certificate of this machine"),
            ("other", "tls", "TLS certificate does not match"),
            ("none", "tcp", "ConnectionResetError"),
            ("right", "tcp", "encryption required"),
        ):
            output = connect(home, f"{kind}://127.0.0.1:{port}")
            assert reason in output and output.endswith("and key of docs/cluster.md\n"), output
            assert len(output.splitlines()) == 1, output


def test_processes_without_dask(begun: Project, serial: Project, tmp_path: Path) -> None:
    require_environment()
    project = begun.copy(tmp_path / "project")
    project.succeed("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    (project.folder / "train.sh").write_text(block(PAGE, "train"))
    project.commit()
    output = follow(project, PAGE, "processes")
    trained = [stage for stage in stages_run(output) if stage.startswith("train")]
    assert sorted(trained) == [
        "train-baselines@linear",
        "train-baselines@neighbours",
        "train-nets@convolution",
        "train-nets@dense",
    ]
    assert_same(project, serial)
