"""Runs all stages on few images, one after the other in this process, in the folder .dvc/tmp/quick.

Without DVC, and with one import of TensorFlow, which takes longer than most of these stages. The accuracies are lower
than those of the whole data, but rank the models much as those do: batches are small, so that the few images make
enough steps. Batch normalisation needs some hundreds, until its averages have left their start.
"""

import importlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.dvc_lock import locked_params, locked_stages
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import training_section
from stages.shared.params.yaml_file import PARAMS, plain, read
from stages.shared.process import console
from stages.shared.process.run import run
from tools.programs import environment

ROWS = 1500
EPOCHS = 6
BATCH_SIZE = 16
FOLDER = Path(".dvc/tmp/quick")
PIPELINE = Path("dvc.yaml")


def reduce(params: CommentedMap) -> None:
    """Change the content of params.yaml: fewer rows and epochs, smaller batches; what is smaller already stays."""

    def limit(section: Any, key: str, most: int) -> None:
        value = section.get(key) if isinstance(section, dict) else None
        # Anything else is for check-params to refuse.
        if value is None or (type(plain(value)) is int and value > most):
            section[key] = most

    limit(params.get("split"), "rows", ROWS)
    for net in (params.get("nets") or {}).values():
        limit(net, "epochs", EPOCHS)
        limit(net, "batch_size", BATCH_SIZE)
        if isinstance(net, dict):
            net.pop("threads", None)  # TensorFlow takes one number per process


def commands(params: CommentedMap) -> Iterator[tuple[str, str]]:
    """Yield the name and the command of every stage of dvc.yaml, in its order, which is that of their dependencies."""
    for stage, definition in YAML(typ="safe").load(PIPELINE)["stages"].items():
        if "matrix" not in definition:
            yield stage, definition["cmd"]
            continue
        [(key, values)] = definition["matrix"].items()
        for item in params[values.removeprefix("${").removesuffix("}")] or ():
            yield f"{stage}@{item}", definition["cmd"].replace(f"${{item.{key}}}", item)


def prepare(folder: Path, params: CommentedMap) -> bool:
    """Make a folder in which the stages find the files of the project, besides those that they write.

    Returns
    -------
    bool
        Whether it has the data set, because it was fetched with the same settings.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    written = {Path(".git"), Path(".dvc"), PARAMS, Path("data"), Path("models"), Path("reports")}
    outputs = {paths.CODE.folder, paths.CHECKS.folder, paths.RAW, paths.CLASSES.parent}
    fetched = locked_params(locked_stages(), "fetch").get("fetch") == plain(params.get("fetch"))
    for path in [*Path().iterdir(), *Path("data").glob("*")]:
        if path not in written | outputs or (path == paths.RAW and fetched):
            (folder / path).symlink_to(path.resolve())
    YAML().dump(params, folder / PARAMS)
    return (folder / paths.RAW_IMAGES).is_file()


def run_stage(name: str, command: str) -> None:
    """Run a stage in the current folder: in this process if it is a module of the project, else as DVC would.

    Raises
    ------
    UserError
        With the name of the stage.
    """
    words = shlex.split(command)
    if words[:2] != ["python", "-m"]:
        if subprocess.run(command, shell=True, env=environment()).returncode:
            raise UserError(f"{name}: failed: {command}")
        return
    sys.argv = words[2:]
    try:
        importlib.import_module(f"{words[2]}.__main__").main()
    except UserError as error:
        raise UserError("\n".join(f"{name}: {line}" for line in str(error).splitlines())) from None


def main() -> None:
    """Run all stages."""
    params = read()
    reduce(params)
    stages = dict(commands(params))
    threads = training_section.load().threads
    start_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)  # not possible later, between two stages
    if prepare(FOLDER, params):
        del stages["fetch"]
    page = FOLDER / paths.PAGE
    os.chdir(FOLDER)
    for name, command in stages.items():
        console.say(f"quick: {name}")
        run_stage(name, command)
    console.say(f"quick: the page of these results, with accuracies of {ROWS:,} images: open {page}")


if __name__ == "__main__":
    run("quick", main)
