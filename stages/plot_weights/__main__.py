"""Stage plot-weights: pictures of the data, of what the models learned, and of how well they predict."""

from stages.shared.process.run import run


def main() -> None:
    """Read models, predictions and tables; write reports/pictures."""
    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from stages.plot_weights.pictures import PICTURES
    from stages.shared.files import paths
    from stages.shared.files.whole_files import replacing
    from stages.shared.process import console

    written = 0
    for draw in PICTURES:
        for name, png in draw():
            with replacing(paths.PICTURES.path(name)) as temporary:
                temporary.write_bytes(png)
            written += 1
    console.say(f"plot-weights: {written} pictures in {paths.PICTURES.folder}")


if __name__ == "__main__":
    run("plot-weights", main, timed=True)
