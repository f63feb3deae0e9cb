"""Checks what DVC needs: a git repository, the project in its last commit, and folders that can be written."""

import os
import subprocess
from pathlib import Path

from stages.shared.errors import UserError, one_line
from stages.shared.process.run import run

COMMITTED = ("dvc.yaml", "params.yaml")
REMEDY = "git add . && git commit --message 'The project'"


def git(*arguments: str) -> str:
    """Run git in the current folder and return its output.

    Raises
    ------
    UserError
        git fails or is not installed, or the folder is not in a repository that has a commit.
    """
    try:
        ran = subprocess.run(
            ["git", *arguments],
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise UserError("git is not installed or not on PATH; DVC needs it") from None
    if ran.returncode == 0:
        return ran.stdout
    if "not a git repository" in ran.stderr:
        raise UserError(f"this folder is not in a git repository, which DVC needs: git init && {REMEDY}")
    if "dubious ownership" in ran.stderr:
        *_, remedy = ran.stderr.strip().splitlines()
        raise UserError(f"the git repository belongs to another user; if you trust it: {remedy.strip()}")
    if "Not a valid object name HEAD" in ran.stderr:
        raise UserError(f"the git repository has no commit yet, and DVC compares with commits: {REMEDY}")
    raise UserError(f"git {arguments[0]}: {one_line(ran.stderr)}")


def check_repository() -> None:
    """Check that the current folder's dvc.yaml and params.yaml are committed, and that DVC's folders can be written.

    Raises
    ------
    UserError
        One of them is not, or there is no commit, no repository, no git or no folder .dvc.
    """
    found = git("ls-tree", "--name-only", "HEAD", *COMMITTED).split()
    if missing := [name for name in COMMITTED if name not in found]:
        raise UserError(f"the last commit does not have {' and '.join(missing)}; DVC needs them there: {REMEDY}")
    if not Path(".dvc").is_dir():
        raise UserError(
            "the folder .dvc is missing; copy the project with its hidden files (.dvc, .gitignore, .gitattributes) or, "
            "if it is in the last commit: git checkout HEAD -- .dvc"
        )
    for folder in (Path(".dvc"), Path(".dvc/tmp"), Path(".dvc/cache")):
        if folder.exists() and not os.access(folder, os.W_OK):
            raise UserError(
                f"{folder} is not writable, and DVC writes there: change its owner if another user, such as root in a "
                "container, has made it, or copy the project to a writable disk"
            )


def check_history() -> None:
    """Check that the repository has its whole history, without which DVC keeps no experiment.

    Raises
    ------
    UserError
        It is a shallow clone, or a partial one from which objects are missing.
    """
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        raise UserError("DVC keeps no experiment in a shallow clone (--depth); get the history: git fetch --unshallow")
    objects = git("rev-list", "--objects", "--missing=print", "--all", "HEAD")
    if any(line.startswith("?") for line in objects.splitlines()):
        raise UserError(
            "DVC keeps no experiment in a partial clone (--filter); get what is missing: "
            "git fetch --refetch --no-filter, with Git 2.36 or later"
        )


if __name__ == "__main__":
    run("repository", check_repository)
