"""Stage check-models: check every declared model against the data before any is trained."""

from stages.shared.process.run import run


def main() -> None:
    """Try the models that have changed since the last check; the text written is always the same."""
    import logging

    from stages.check_models.earlier_check import unchanged
    from stages.check_models.fitting_data import check_models
    from stages.check_models.long_runs import say_long_runs
    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_image_size, load_labels
    from stages.shared.files.text_files import save_text
    from stages.shared.models.tensorflow_startup import start_tensorflow
    from stages.shared.params import baselines_section, nets_section, pictures_section, training_section
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.settings import check_section
    from stages.shared.params.yaml_file import plain, read

    content = read()
    with line_numbers(content):
        passed = unchanged(plain(content))
        baselines = check_section("baselines", baselines_section.Baselines, content).root
        nets = check_section("nets", nets_section.Nets, content).root
        tried = {name: net for name, net in nets.items() if name not in passed}
        if tried:
            start_tensorflow()
            logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it would warn that each net is traced anew
        check_models(
            {name: baseline for name, baseline in baselines.items() if name not in passed},
            tried,
            check_section("pictures", pictures_section.Pictures, content).weights,
            rows=len(load_labels("train")),
            image_size=load_image_size(),
            classes=len(load_classes()),
            seed=check_section("training", training_section.Training, content).seed,
        )
    say_long_runs(plain(content), {*baselines} - passed)
    save_text(paths.CHECKS.path("models"), "every declared model fits the data\n")


if __name__ == "__main__":
    run("check-models", main, timed=True)
