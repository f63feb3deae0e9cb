"""Predicts the digits in pictures with a trained model: drawings, scans and photographs, one digit each."""

import argparse
import sys
from pathlib import Path

from stages.shared.errors import UserError
from stages.shared.process.run import run


def main() -> None:
    """Read the model and the pictures, and print the predictions."""
    parser = argparse.ArgumentParser(prog="python -m inference.predict", description=__doc__)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model declared in params.yaml; a .keras or .skops file; or a registered artifact: "
        "NAME@VERSION, NAME@latest or NAME#STAGE",
    )
    parser.add_argument("pictures", metavar="IMAGE", nargs="+", help="a picture, or a folder of pictures")
    parser.add_argument("--repo", help="path or URL of the repository with the artifact (default: this one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--show", metavar="FOLDER", type=Path, help="save the images that the model receives to this folder, as PNG"
    )
    parser.add_argument(
        "--preparation",
        choices=("mnist", "as-is"),
        help="how to prepare the pictures: crop, scale and centre them as MNIST's digits were, or only resize them "
        "(default: as declared with the data set of the model, else mnist)",
    )
    arguments = parser.parse_args()

    # Imports are ordered so that --help and mistakes in the command line are answered at once.
    from inference.find_model import find

    source = find(arguments.model, arguments.repo)

    from stages.shared.files.picture_files import find_pictures, read_picture

    found = find_pictures(arguments.pictures)
    for path in found.skipped:
        print(f"predict: skipped {path}, which is not a picture", file=sys.stderr)
    errors = [f"{folder}: no pictures in this folder" for folder in found.empty]
    if not any(path.exists() for path in found.files):
        errors += [f"{path}: file not found" for path in found.files]
        raise UserError("\n".join(errors))
    show: Path | None = arguments.show
    if show is not None and show.resolve() in {path.resolve().parent for path in found.files}:
        raise UserError(f"--show {show}: this folder contains the pictures to read; choose another one to write to")

    import numpy as np
    from PIL import Image

    from inference.answers import answers, as_json, as_table, enlarged, image_names, unreadable
    from inference.prepare_picture import DESCRIPTIONS, prepare
    from inference.trained_model import load
    from stages.shared.files.datasets import Preparation
    from stages.shared.files.whole_files import replacing

    model = load(source)
    preparation = model.preparation or Preparation()
    if arguments.preparation:
        preparation = preparation._replace(name=arguments.preparation)
    elif model.preparation is None:
        print(
            f"predict: no data/split/preparation.json tells how the images of {arguments.model} were prepared; "
            "assuming mnist; for the other kind, add --preparation as-is",
            file=sys.stderr,
        )
    rows, readable, images, notes = {}, [], [], []
    for path in found.files:
        try:
            picture = read_picture(path, preparation.transparent if preparation.name == "as-is" else None)
            prepared = prepare(picture.grey, model.side, preparation, str(path))
        except UserError as error:
            errors.append(str(error))
            rows[path] = unreadable(path, str(error))
            continue
        readable.append(path)
        images.append(prepared.image)
        notes.append([*picture.notes, *prepared.notes])
    if show is not None:
        for name, image in zip(image_names(readable), images, strict=True):
            with replacing(show / name) as temporary:
                Image.fromarray(enlarged(image)).save(temporary)
    if readable:
        predicted = model.predict(np.stack(images))
        rows.update(zip(readable, answers(readable, predicted, model.names, notes), strict=True))
    in_order = [rows[path] for path in found.files]
    if arguments.json:
        print(as_json(in_order, preparation.name))
    elif readable:
        print(as_table(in_order))
        print(f"\npreparation: {preparation.name} ({DESCRIPTIONS[preparation.name]})")
    if errors:
        raise UserError("\n".join(errors))


if __name__ == "__main__":
    run("predict", main)
