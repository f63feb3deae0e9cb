"""Stage check-models: every declared model against the data, before any is trained."""

from stages.shared.process.run import run


def main() -> None:
    """Make every model for these images and classes, and write that it was done: always the same text."""
    from stages.shared.models.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from stages.check_models.fitting_data import check_models
    from stages.check_models.net_sizes import check_sizes
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_image_size, load_labels
    from stages.shared.files.formats import save_text
    from stages.shared.params import baselines_section, nets_section, pictures_section, training_section
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import read

    declared = nets_section.load()
    image_size = load_image_size()
    classes = len(load_classes())
    with line_numbers(read()):
        # Before any net is made: making one too large takes the memory.
        check_sizes(declared, rows=len(load_labels("train")), image_size=image_size, classes=classes)
        check_models(
            baselines_section.load(),
            declared,
            pictures_section.load().weights,
            image_size=image_size,
            classes=classes,
            seed=training_section.load().seed,
        )
    save_text(paths.CHECKS / "models.txt", "every declared model fits the data\n")


if __name__ == "__main__":
    run("check-models", main, timed=True)
