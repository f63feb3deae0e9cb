"""Stage check-models: every declared model against the data, before any is trained."""

from stages import running


def main() -> None:
    """Make every model for these images and classes, and write that it was done: always the same text."""
    running.start_tensorflow()
    from stages.check_models.fitting_data import check_models
    from stages.params import baselines, nets, pictures, training
    from stages.params.reading import lines_named, read
    from stages.store import places
    from stages.store.arrays import load_classes, load_image_size
    from stages.store.reports import save_text

    with lines_named(read()):
        check_models(
            baselines.load(),
            nets.load(),
            pictures.load().weights,
            image_size=load_image_size(),
            classes=len(load_classes()),
            seed=training.load().seed,
        )
    save_text(places.CHECKS / "models.txt", "every declared model fits the data\n")


if __name__ == "__main__":
    running.run("check-models", main, timed=True)
