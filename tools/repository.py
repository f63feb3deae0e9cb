"""Checks that the project is committed to a git repository, which DVC's experiments and comparisons need."""

import os
import subprocess

from stages.shared.errors import UserError, one_line
from stages.shared.process.run import run

COMMITTED = ("dvc.yaml", "params.yaml")
REMEDY = "git add --all && git commit --message 'The project'"


def git(*arguments: str) -> str:
    """Run git in the current folder and return its output.

    Raises
    ------
    UserError
        git fails or is not installed, or the folder is not in a repository.
    """
    try:
        ran = subprocess.run(["git", *arguments], env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError("git is not installed or not on PATH; DVC needs it") from None
    if ran.returncode == 0:
        return ran.stdout
    if "not a git repository" in ran.stderr:
        raise UserError(f"this folder is not in a git repository, which DVC needs: git init && {REMEDY}")
    raise UserError(f"git {arguments[0]}: {one_line(ran.stderr)}")


def require_commit() -> None:
    """Check that the current folder's dvc.yaml and params.yaml are in the last commit.

    Raises
    ------
    UserError
        They are not, or there is no commit, no repository or no git.
    """
    git("rev-parse", "--git-dir")
    head = subprocess.run(["git", "rev-parse", "--verify", "--quiet", "HEAD"], stdout=subprocess.DEVNULL, check=False)
    if head.returncode:
        raise UserError(f"the git repository has no commit yet, and DVC compares with commits: {REMEDY}")
    found = git("ls-tree", "--name-only", "HEAD", *COMMITTED).split()
    if missing := [name for name in COMMITTED if name not in found]:
        raise UserError(f"the last commit does not have {' and '.join(missing)}; DVC needs them there: {REMEDY}")


if __name__ == "__main__":
    run("repository", require_commit)
