"""Runs all stages on few images, one after the other in this process, in the folder .dvc/tmp/quick.

Without DVC, and with one import of TensorFlow, which takes longer than most of these stages. The accuracies are lower
than those of the whole data, but rank the models much as those do: batches are small, so that the few images make
enough steps. Batch normalisation needs some hundreds, until its averages have left their start.
"""

import argparse
import importlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
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


def reduce_nets(params: CommentedMap) -> None:
    """Lower epochs and batch sizes in the content of params.yaml; mistakes stay for check-params to refuse."""
    nets = params.get("nets")
    for net in nets.values() if isinstance(nets, dict) else ():
        for key, most in (("epochs", EPOCHS), ("batch_size", BATCH_SIZE)):
            if isinstance(net, dict) and type(value := plain(net.get(key))) is int and value > most:
                net[key] = most
        if isinstance(net, dict) and "threads" in net:
            net["threads"] = None  # TensorFlow takes one number per process


def reduce_rows(params: CommentedMap, fetched: int) -> int:
    """Lower `split.rows` in the content of params.yaml to `ROWS`, if so many images were fetched; return the number."""
    split = params["split"]
    rows = plain(split["rows"]) or fetched
    if rows > ROWS:
        split["rows"] = rows = ROWS
    return int(rows)


def commands(params: CommentedMap) -> Iterator[tuple[str, str]]:
    """Yield the name and the command of every stage of dvc.yaml, in its order, which is that of their dependencies."""
    for stage, definition in YAML(typ="safe").load(PIPELINE)["stages"].items():
        if "matrix" not in definition:
            yield stage, definition["cmd"]
            continue
        [(key, values)] = definition["matrix"].items()
        for item in params[values.removeprefix("${").removesuffix("}")] or ():
            yield f"{stage}@{item}", definition["cmd"].replace(f"${{item.{key}}}", item)


def prepare(folder: Path, params: CommentedMap, without: Collection[Path] = ()) -> bool:
    """Make a folder in which the stages find the files of the project, besides those that they write, and `without`.

    Returns
    -------
    bool
        Whether it has the data set, because it was fetched with the same settings.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    written = {PARAMS, Path("data"), Path("models"), Path("reports")}
    outputs = {paths.CODE.folder, paths.CHECKS.folder, paths.RAW, paths.CLASSES.parent}
    fetched = locked_params(locked_stages(), "fetch").get("fetch") == plain(params.get("fetch"))
    for path in [*Path().glob("[!.]*"), *Path("data").glob("[!.]*")]:
        if path not in {*written, *outputs, *without} or (path == paths.RAW and fetched):
            (folder / path).symlink_to(path.resolve())
    write(params, folder / PARAMS)
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


def write(params: CommentedMap, path: Path) -> None:
    """Write params.yaml with the lines of the original, which messages name."""
    yaml = YAML()
    yaml.width = 10_000  # characters; longer values would be wrapped
    yaml.dump(params, path)


def start_training() -> None:
    """Import TensorFlow, and set the number of cores, which is not possible later, between two stages."""
    threads = training_section.load().threads
    start_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)


def main() -> None:
    """Run all stages."""
    argparse.ArgumentParser(prog="make quick", description=__doc__).parse_args()
    params, rows = read(), 0
    reduce_nets(params)
    stages = commands(params)
    fetched = prepare(FOLDER, params)
    page = FOLDER / paths.PAGE
    os.chdir(FOLDER)
    for name, command in stages:
        if name == "fetch" and fetched:
            continue
        if name == "normalise-and-split":
            rows = reduce_rows(params, len(np.load(paths.RAW_IMAGES, mmap_mode="r")))
            write(params, PARAMS)
        if name == "check-models":
            start_training()
        console.say(f"quick: {name}")
        run_stage(name, command)
    console.say(f"quick: accuracies of {rows:,} images, lower than those of all; their page: open {page}")


if __name__ == "__main__":
    run("quick", main)
