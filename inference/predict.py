"""Let a trained model name the digits in pictures: drawings, scans, photographs, one digit each."""

import argparse
import sys
from pathlib import Path

from stages.shared.errors import UserError
from stages.shared.process.run import run


def main() -> None:
    """Read the model and the pictures; print what the model says of each."""
    parser = argparse.ArgumentParser(prog="python -m inference.predict", description=__doc__)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model of params.yaml; a .keras or .skops file; or a registered artifact: "
        "NAME@VERSION, NAME@latest or NAME#STAGE",
    )
    parser.add_argument("pictures", metavar="IMAGE", nargs="+", help="a picture, or a folder of pictures")
    parser.add_argument("--repo", help="the repository that has the artifact: a path or an address (default: this one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--show", metavar="FOLDER", type=Path, help="write what the model was fed to this folder, as PNG"
    )
    arguments = parser.parse_args()

    # Imported here, so that --help and a mistake in the command take no seconds.
    import numpy as np
    from PIL import Image

    from inference.answers import answers, as_json, as_table, enlarged, image_names, unreadable
    from inference.prepare_image import prepare
    from inference.read_image import find_pictures, read_picture
    from inference.trained_model import load
    from stages.shared.files.whole_files import replacing

    found = find_pictures(arguments.pictures)
    for path in found.skipped:
        print(f"predict: skipped {path}, which is not a picture", file=sys.stderr)
    errors = [f"{folder}: there are no pictures in this folder" for folder in found.empty]
    if not found.files:
        raise UserError("\n".join(errors))
    show: Path | None = arguments.show
    if show is not None and show.resolve() in {path.resolve().parent for path in found.files}:
        raise UserError(f"--show {show}: pictures are read from this folder; name another one to write to")

    model = load(arguments.model, arguments.repo)
    rows, read, images, notes = {}, [], [], []
    for path in found.files:
        try:
            picture = read_picture(path)
            image, shapes = prepare(picture.grey, model.side, str(path))
        except UserError as error:
            errors.append(str(error))
            rows[path] = unreadable(path, str(error))
            continue
        read.append(path)
        images.append(image)
        several = [f"perhaps {shapes} digits: separate shapes, read as one"] if shapes > 1 else []
        notes.append([*picture.notes, *several])
    if show is not None:
        for name, image in zip(image_names(read), images, strict=True):
            with replacing(show / name) as temporary:
                Image.fromarray(enlarged(image)).save(temporary)
    if read:
        predicted = model.judge(np.stack(images))
        rows.update(zip(read, answers(read, predicted, model.names, notes), strict=True))
    in_order = [rows[path] for path in found.files]
    if arguments.json:
        print(as_json(in_order), flush=True)
    elif read:
        print(as_table(in_order), flush=True)
    if errors:
        raise UserError("\n".join(errors))


if __name__ == "__main__":
    run("predict", main)
