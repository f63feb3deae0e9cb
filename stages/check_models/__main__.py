"""Stage check-models: check every declared model against the data before any is trained."""

from stages.shared.process.run import run


def main() -> None:
    """Try the models that have changed since they were trained; the text written is always the same."""
    from stages.check_models.long_runs import say_long_runs
    from stages.shared.files import paths
    from stages.shared.files.text_files import save_text
    from stages.shared.params.yaml_file import plain, read
    from stages.shared.trials.changed_models import changed_models
    from stages.shared.trials.try_models import try_models

    result = paths.CHECKS.path("models")
    # DVC keeps this file; after a mistake, it must not let other stages run.
    result.unlink(missing_ok=True)
    content = read()
    params = plain(content)
    changed = changed_models(params)
    try_models(content, changed.names - {changed.left})
    say_long_runs(params, changed.names)
    save_text(result, "every declared model fits the data\n")


if __name__ == "__main__":
    run("check-models", main, timed=True)
