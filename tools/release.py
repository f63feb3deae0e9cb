"""Registers a version of a model, and assigns a stage to it, after checking that others can fetch the version.

GTO itself writes a tag for any name and any commit, whether or not there is a file to fetch.
"""

import argparse
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError, one_line, unknown_name
from stages.shared.files.paths import CLASSES
from stages.shared.process import console
from stages.shared.process.run import run
from tools.programs import DVC, environment
from tools.repository import git

# What a version consists of, apart from files on the DVC remote.
VERSIONED = (".dvc", "dvc.lock", "dvc.yaml", "libraries.json", "params.yaml", "reports", "stages")


def release(name: str, version: str, stage: str = "") -> list[str]:
    """Register a version of a model for the last commit, and assign a stage to it; returns the new Git tags.

    A version that is registered for this commit already only gets the stage.

    Parameters
    ----------
    name : str
        Name of the artifact in dvc.yaml. In a project that is a folder of a larger repository, GTO's name of it begins
        with the folder, which is added if it is missing.
    version : str
        vMAJOR.MINOR.PATCH.
    stage : str
        For example prod; "" assigns none.

    Raises
    ------
    UserError
        Others could not fetch the version, or GTO refuses the name, the version or the stage. No tag is written then.
    """
    from gto import api  # GTO and DVC take a second to import
    from gto.exceptions import GTOException
    from scmrepo.exceptions import SCMError

    folder = git("rev-parse", "--show-prefix").strip().rstrip("/")
    full_name = f"{folder}:{name.removeprefix(f'{folder}:')}" if folder else name
    version_tag = f"{full_name.replace(':', '=')}@{version}"
    _check_wording(full_name, version, stage)
    _check_files(full_name.rpartition(":")[2])
    _check_git_remote()
    registered = git("tag", "--points-at", "HEAD", "--list", f"{version_tag.partition('@')[0]}@v*").split()
    if registered and (version_tag not in registered or not stage):
        raise UserError(
            f"this commit is {registered[0]} already, and GTO registers one version of a model per commit; "
            f"'gto show {full_name}' lists them"
        )
    if not registered and git("tag", "--list", version_tag):
        raise UserError(f"{version_tag} is the tag of another commit already; 'gto show {full_name}' lists them")
    tags = []
    try:
        if not registered:
            tags.append(api.register(".", full_name, "HEAD", version=version).tag)
        if stage:
            tags.append(api.assign(".", full_name, stage, version=version).tag)
    except (GTOException, SCMError) as error:
        if tags:
            git("tag", "--delete", *tags)
        raise UserError(f"{one_line(error.__cause__ or error)}; nothing was registered") from error
    return tags


def _check_wording(name: str, version: str, stage: str) -> None:
    """Check what GTO would refuse: the name, the version, the stage, and a tag without an author."""
    from gto.config import CONFIG_FILE_NAME, read_registry_config
    from gto.constants import assert_fullname_is_valid, semver
    from gto.exceptions import GTOException

    if re.fullmatch(f"v{semver}", version) is None:
        raise UserError(f"VERSION={version} is not a version such as v1.0.0")
    try:
        assert_fullname_is_valid(name)
        if stage:
            root = git("rev-parse", "--show-toplevel").strip()
            read_registry_config(f"{root}/{CONFIG_FILE_NAME}").assert_stage(stage)
    except GTOException as error:
        raise UserError(f"GTO refuses {name}{f', STAGE={stage}' if stage else ''}: {one_line(error)}") from error
    try:
        git("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except UserError:
        raise UserError(
            "a version is a Git tag with an author: git config user.name NAME && git config user.email ADDRESS"
        ) from None


def _check_files(name: str) -> None:
    """Check that the last commit declares the model, has its results and a DVC remote, and that its file is there."""
    from dvc.config_schema import RelPath
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo()
        artifacts = repo.artifacts.read().get("dvc.yaml", {})
        stages = {Path(out.def_path): out.stage.addressing for out in repo.index.outs}
        # The commit's own settings; not those of .dvc/config.local or of the user, which others do not have.
        config = repo.config.load_one("repo")
    except DvcException as error:
        raise UserError(one_line(error)) from error
    if name not in artifacts:
        raise UserError(f"dvc.yaml, artifacts: {unknown_name(name, artifacts, 'model')}")
    path = artifacts[name].path
    if Path(path) not in stages:
        raise UserError(
            f"dvc.yaml, artifacts.{name}: no stage writes {path}, because params.yaml does not declare this model"
        )
    remote = config["core"].get("remote")
    if remote not in config["remote"]:
        raise UserError(
            ".dvc/config has no default remote, from which others fetch the file: "
            "dvc remote add --default storage ADDRESS && git commit --message 'A remote' .dvc/config"
        )
    address = config["remote"][remote]["url"]
    if isinstance(address, RelPath):
        raise UserError(
            f".dvc/config: the path of the remote {remote} is relative, so in a clone elsewhere it leads to another "
            f"folder; make it absolute: dvc remote modify {remote} url {shlex.quote(address)}"
        )
    if uncommitted := [line[3:] for line in git("status", "--porcelain", "--", *VERSIONED).splitlines()]:
        raise UserError(
            f"not committed: {', '.join(uncommitted[:5])}{' ...' if len(uncommitted) > 5 else ''}; a version is a "
            "commit: 'git add' and 'git commit' what belongs to it, 'git restore' the rest"
        )
    if changed := _dvc_status("--with-deps", stages[Path(path)]):
        raise UserError(
            f"the results of the last commit are not those of its settings and code: {', '.join(changed)} "
            "must run again: 'dvc repro', then commit; if only files are missing: 'dvc checkout' or 'dvc pull'"
        )
    # Class names, and how pictures are prepared for the model.
    data = [str(CLASSES.parent)] if CLASSES.parent in stages else []
    status = _dvc_status("--cloud", "--remote", remote, path, *data)
    absent = [file for file, state in status.items() if state in ("new", "missing")]
    if path in absent:
        raise UserError(f"{path} is not on the remote {remote} ({address}): dvc push --remote {remote} {path}")
    if absent:
        console.say(
            f"release: {data[0]}, with the class names and the preparation of pictures, is not on the remote {remote}: "
            f"dvc push --remote {remote}"
        )


def _dvc_status(*arguments: str) -> dict[str, Any]:
    # As a process, because DVC turns the errors of each kind of remote into messages.
    command = [*DVC, "status", "--json", *arguments]
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if ran.returncode:
        reason, _, _ = ran.stderr.partition("\n\nHaving any troubles?")
        raise UserError(f"dvc status {shlex.join(arguments)}: {one_line(reason)}")
    status: dict[str, Any] = json.loads(ran.stdout)
    return status


def _git_remote() -> str:
    """Return a Git remote that has the last commit; "" if there is no remote at all.

    Raises
    ------
    UserError
        No remote has the commit.
    """
    remotes = git("remote").split()
    branches = git("for-each-ref", "--contains", "HEAD", "--format=%(refname:lstrip=2)", "refs/remotes").split()
    found = [remote for remote in remotes if any(branch.startswith(f"{remote}/") for branch in branches)]
    if remotes and not found:
        raise UserError(
            f"the last commit is on none of the Git remotes ({', '.join(remotes)}), from which others fetch it: "
            f"git push {'origin' if 'origin' in remotes else remotes[0]} HEAD:{_branch()}"
        )
    return found[0] if found else ""


def _branch() -> str:
    return git("branch", "--show-current").strip() or "BRANCH"


def _check_git_remote() -> None:
    """Check that a Git remote, if there is one, has the last commit and a default branch; fetch its tags."""
    remote = _git_remote()
    if not remote:
        console.say("release: this repository has no Git remote; others can fetch from this folder only")
        return
    git("fetch", "--quiet", "--tags", remote)
    if not git("ls-remote", remote, "HEAD"):
        raise UserError(
            f"the HEAD of the Git remote {remote} names a branch that it does not have, and DVC cannot fetch from it; "
            f"change its default branch, in a bare repository with 'git symbolic-ref HEAD refs/heads/{_branch()}'"
        )


def main() -> None:
    """Release the version on the command line, and print the command that publishes it."""
    parser = argparse.ArgumentParser(prog="make release")
    for option in ("name", "version", "stage"):
        parser.add_argument(f"--{option}", default="")
    options = parser.parse_args()
    if not options.name or not options.version:
        raise UserError("which model and version? make release NAME=mlp-48 VERSION=v1.0.0, and STAGE=prod if you like")
    tags = release(options.name, options.version, options.stage)
    console.say(f"release: {' and '.join(tags)}")
    if remote := _git_remote():
        console.say(f"release: to publish: git push {remote} {shlex.join(tags)}")


if __name__ == "__main__":
    run("release", main)
