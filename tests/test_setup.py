"""The Makefile's set-up of the environment, with packages that are small and made here."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.fixtures.small_project import ROOT

PACKAGES = ("dvc", "numpy", "psutil", "pytest")  # those that the set-up imports at its end
NAME = """-a folder's "name" #1 é 50% $HOME (x), y"""
NOLOGIN = next(path for path in ("/usr/sbin/nologin", "/sbin/nologin", "/usr/bin/false") if Path(path).exists())


def write_wheel(folder: Path, package: str) -> str:
    """Write the wheel of a package with one empty module; return its line of requirements.txt."""
    wheel = folder / f"{package}-1.0-py3-none-any.whl"
    info = f"{package}-1.0.dist-info"
    files = {
        f"{package}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: base64.urlsafe_b64encode(sha256(text.encode()).digest()) for name, text in files.items()}
    record = [f"{name},sha256={digests[name].decode().rstrip('=')},{len(text)}\n" for name, text in files.items()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": "".join([*record, f"{info}/RECORD,,\n"])}).items():
            archive.writestr(name, text)
    return f"{package}==1.0 --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the Makefile, small packages, and tools that do nothing."""
    folder = tmp_path / NAME
    (folder / "tools").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (tmp_path / "wheels").mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").write_text("".join(write_wheel(tmp_path / "wheels", name) for name in PACKAGES))
    for name in ("libraries", "plots_template"):
        (folder / "tools" / f"{name}.py").touch()
    return folder


def start(project: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    wheels = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (project.parent / "wheels").as_uri(),
        "PIP_CONFIG_FILE": os.devnull,
    }
    return subprocess.Popen(
        ["make", *arguments],
        cwd=project,
        env={**kept, **wheels, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def make(project: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run make without the pip configuration of this machine; return its exit code and output."""
    with start(project, *arguments, **variables) as process:
        output, _ = process.communicate()
    return process.returncode, output


def installed(project: Path) -> set[str]:
    """Return which packages are in the environment of a project."""
    return {path.stem for path in project.glob(".venv/lib/python*/site-packages/*.py")} & set(PACKAGES)


def test_variables_of_python_and_shells_and_the_name_of_the_folder_do_not_matter(project: Path) -> None:
    other = project.parent / "ros"  # has the same packages, but they are not those of the environment
    for name in PACKAGES:
        with zipfile.ZipFile(project.parent / "wheels" / f"{name}-1.0-py3-none-any.whl") as wheel:
            wheel.extractall(other)
    (project.parent / "rc").write_text("echo Welcome; cd /; PATH=/bin\n")
    (project / "tools" / "libraries.py").write_text(
        "import os, subprocess\n"
        "assert subprocess.run([os.environ['SHELL'], '-c', 'python -c \"import dvc\"'], cwd='/').returncode == 0\n"
    )
    variables = {
        "BASH_ENV": str(project.parent / "rc"),
        "CDPATH": "/",
        "CONDA_PREFIX": "/opt/conda",
        "ENV": str(project.parent / "rc"),
        "MAKEFLAGS": "-j2",
        "PYTHONHOME": str(other),
        "PYTHONNOUSERSITE": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONPATH": str(other),
        "PYTHONPLATLIBDIR": "lib32",
        "PYTHONSAFEPATH": "1",
        "PYTHONSTARTUP": str(project.parent / "rc"),
        "PYTHONUSERBASE": str(other),
        "SHELL": NOLOGIN,
        "VIRTUAL_ENV": str(other),
    }
    code, output = make(project, "setup", **variables)
    assert (code, installed(project)) == (0, set(PACKAGES)), output
    assert "Welcome" not in output
    code, output = make(project, "setup", **variables)
    assert code == 0 and "installing" not in output, output

    # A moved or copied project sets up again; its scripts name the Python of the old place.
    moved = project.rename(project.parent / "moved")
    code, output = make(moved, "setup")
    assert code == 0 and "installing" in output, output
    assert str(moved) in (moved / ".venv" / "bin" / "activate").read_text()

    # So does one whose Python has been removed.
    for link in (moved / ".venv" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/removed/python")
    code, output = make(moved, "setup", PYTHON=sys.executable)
    assert (code, installed(moved)) == (0, set(PACKAGES)), output


def settings(project: Path) -> dict[str, dict[str, str]]:
    """Return what makes pip install elsewhere, or nothing: name -> environment variables."""
    elsewhere = str(project.parent / "elsewhere")
    file = project.parent / "pip.conf"
    file.write_text(f"[install]\ntarget = {elsewhere}\n")
    throwaway = project.parent / "throwaway"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", throwaway], check=True)
    return {
        "dry-run": {"PIP_DRY_RUN": "1"},
        "prefix": {"PIP_PREFIX": elsewhere},
        "python": {"PIP_PYTHON": str(throwaway / "bin" / "python")},
        "root": {"PIP_ROOT": elsewhere},
        "target": {"PIP_TARGET": elsewhere},
        "user": {"PIP_USER": "yes"},
        "install.target": {"PIP_CONFIG_FILE": str(file)},
    }


@pytest.mark.parametrize(
    "name",
    [
        "target",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("dry-run", "install.target", "prefix", "python", "root", "user")
        ),
    ],
)
def test_pip_that_would_install_elsewhere_stops_the_set_up(name: str, project: Path) -> None:
    code, output = make(project, "setup", **settings(project)[name])
    assert code != 0 and not (project / ".venv" / ".installed").exists()
    assert f"{name}=" in output and "setup: with these settings" in output, output
    assert not (project.parent / "elsewhere").exists()


def test_a_pip_that_installs_nothing_stops_the_set_up(project: Path) -> None:
    (project / "requirements.txt").write_text("")
    code, output = make(project, "setup", PIP_USER="no")
    assert code != 0 and not (project / ".venv" / ".installed").exists()
    assert "setup: pip reports no error, but" in output, output


def test_an_interrupted_set_up_starts_again(project: Path) -> None:
    tool = project / "tools" / "libraries.py"
    tool.write_text("import time\nprint('reached', flush=True)\ntime.sleep(600)\n")
    with start(project, "setup") as process:
        assert process.stdout is not None
        assert any("reached" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()
    assert process.returncode != 0 and not (project / ".venv" / ".installed").exists()
    tool.write_text("")
    code, output = make(project, "setup")
    assert code == 0 and "installing" in output, output
