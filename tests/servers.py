"""Real servers to keep models on. They listen on loopback alone, and end by themselves when a test run dies."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LIFETIME = 600  # seconds
START = 30  # seconds that a server may take to answer
# Ends the server when its time is up, also where nobody is left to stop it.
SUPERVISOR = "import subprocess, sys; subprocess.run(sys.argv[2:], timeout=float(sys.argv[1]))"
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")  # where sshd is, and PATH often is not


class Remote(NamedTuple):
    """An address for `dvc remote add`, options for `dvc remote modify`, and an environment that has the credentials."""

    url: str
    options: dict[str, str]
    environment: dict[str, str]


def sshd() -> str | None:
    """Return the path of the OpenSSH server, if there is one."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], *SYSTEM_FOLDERS]))


def rclone() -> str | None:
    """Return the path of rclone, the environment's own before any other."""
    return shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@contextlib.contextmanager
def ssh(folder: Path) -> Iterator[Remote]:
    """Run an OpenSSH server that lets the current user in by a key made for it, for SFTP alone.

    A home folder with a `.ssh/config` that names the key and the port takes the place of the user's own.
    """
    server = sshd()
    assert server
    home = folder / "home"
    for path in (folder / "storage", home / ".ssh"):
        path.mkdir(parents=True)
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's server on Debian wants it; it is made at boot
    port = free_port()
    (folder / "sshd_config").write_text(
        f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
AllowUsers {getpass.getuser()}
AuthenticationMethods publickey
PermitRootLogin prohibit-password
# The folders above a temporary one may be open to others.
StrictModes no
# Both are for a server of the whole machine.
UsePAM no
PidFile none
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
    )
    (home / ".ssh" / "config").write_text(
        f"Host storage\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {folder}/user_key\n"
    )
    with running([server, "-D", "-e", "-f", str(folder / "sshd_config")], port, folder / "sshd.log"):
        yield Remote(f"ssh://storage{folder}/storage", {}, {"HOME": str(home), "SSH_AUTH_SOCK": ""})


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[Remote]:
    """Run an S3 server with one bucket, `digits`, and one pair of keys."""
    server = rclone()
    assert server
    (folder / "buckets" / "digits").mkdir(parents=True)
    (folder / "aws").touch()
    port = free_port()
    command = [server, "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{port}", "--auth-key", "tester,secret"]
    with running([*command, str(folder / "buckets")], port, folder / "rclone.log"):
        yield Remote(
            "s3://digits/models",
            {"endpointurl": f"http://127.0.0.1:{port}"},
            {
                "AWS_ACCESS_KEY_ID": "tester",
                "AWS_SECRET_ACCESS_KEY": "secret",
                # Nothing of the user's own.
                "AWS_CONFIG_FILE": str(folder / "aws"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws"),
            },
        )


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """Run a server from when it answers until the end of the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(LIFETIME), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, which ends whole
        )
    try:
        end = time.monotonic() + START
        while not answers(port):
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()}"
            assert time.monotonic() < end, f"{command[0]} does not answer after {START} s: {log.read_text()}"
            time.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)


def answers(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
