"""Models on real DVC remotes: pushed from one clone, pulled in another, and fetched by version without a clone."""

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import published, servers
from tests.fixtures.published import MODELS, content, origin
from tests.fixtures.servers import Remote
from tests.fixtures.small_project import Project


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Remote]:
    """A remote that is a folder."""
    yield Remote(str(path / "storage"), {}, {})


def missing(kind: str) -> list[str]:
    """List what a kind of remote needs and is not installed."""
    needed = {
        "folder": {},
        "ssh": {
            "dvc[ssh] ('make remotes')": importlib.util.find_spec("dvc_ssh"),
            "an OpenSSH server (Debian: openssh-server)": servers.sshd(),
        },
        "s3": {
            "dvc[s3] ('make remotes')": importlib.util.find_spec("dvc_s3"),
            "rclone ('make remotes')": servers.rclone(),
        },
    }
    return [name for name, found in needed[kind].items() if not found]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("folder", folder), id="folder"),
        pytest.param(("ssh", servers.ssh), id="ssh", marks=pytest.mark.remotes),
        pytest.param(("s3", servers.s3), id="s3", marks=pytest.mark.remotes),
    ],
)
def pushed(
    request: pytest.FixtureRequest, finished: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """The small project, with its models on a remote, and a registered version in a bare origin."""
    kind, server = request.param
    if lacking := missing(kind):
        # Under `make test-remotes`, skipping would hide that nothing was tested.
        refuse = pytest.fail if request.config.option.markexpr == "remotes" else pytest.skip
        refuse(f"{kind}: needs {' and '.join(lacking)}")
    path = tmp_path_factory.mktemp(kind)
    with server(path) as remote, pytest.MonkeyPatch.context() as patch:
        for name, value in {**remote.environment, "DVC_SITE_CACHE_DIR": str(path / "site-cache")}.items():
            patch.setenv(name, value)
        project = published.publish(finished, path / "project", remote.url, **remote.options)
        project.succeed("gto", "register", "dense", "--version", "v1.0.0")
        published.push(project)
        yield project


def test_a_clone_pulls_every_model_and_is_up_to_date(pushed: Project, tmp_path: Path) -> None:
    pushed.succeed("git", "clone", "--quiet", str(origin(pushed)), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.succeed("dvc", "pull")
    for name in MODELS:
        assert content(clone, name) == content(pushed, name)
    assert clone.repro() == []
    assert "up to date" in clone.succeed("dvc", "status").output
    assert "in sync" in clone.succeed("dvc", "status", "--cloud").output


def test_a_version_is_fetched_without_a_clone(pushed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    elsewhere = Project(tmp_path)
    elsewhere.succeed("dvc", "artifacts", "get", str(origin(pushed)), "dense", "--rev", "v1.0.0")
    assert (tmp_path / "dense.keras").read_bytes() == content(pushed, "dense")
