"""Stage check-models: every declared model against the data, before any is trained."""

from stages.program import running


def main() -> None:
    """Make every model for these images and classes, and write that it was done: always the same text."""
    running.start_tensorflow()
    from stages.check_models.fitting_data import check_models
    from stages.check_models.memory import check_sizes
    from stages.params import baselines, nets, pictures, training
    from stages.params.reading import lines_named, read
    from stages.store.arrays import load_classes, load_image_size, load_labels
    from stages.store.files import places
    from stages.store.reports import save_text

    declared = nets.load()
    image_size = load_image_size()
    classes = len(load_classes())
    with lines_named(read()):
        # Before any net is made: making one too large takes the memory.
        check_sizes(declared, rows=len(load_labels("train")), image_size=image_size, classes=classes)
        check_models(
            baselines.load(),
            declared,
            pictures.load().weights,
            image_size=image_size,
            classes=classes,
            seed=training.load().seed,
        )
    save_text(places.CHECKS / "models.txt", "every declared model fits the data\n")


if __name__ == "__main__":
    running.run("check-models", main, timed=True)
