"""Stage check-params: check all of params.yaml before any other stage runs."""

from stages.shared.process.run import run


def main() -> None:
    """Check params.yaml; write the names of the models, and a text that is always the same, so that nothing reruns."""
    from stages.check_params.classes import check_classes, read_definitions
    from stages.check_params.leftovers import undeclared
    from stages.check_params.structure import check_structure
    from stages.shared.errors import UserError
    from stages.shared.files import paths
    from stages.shared.files.text_files import save_json, save_text
    from stages.shared.params.mistakes import line_numbers
    from stages.shared.params.yaml_file import plain, read
    from stages.shared.process import console

    result = paths.CHECKS.path("params")
    try:
        content = read()
        with line_numbers(content):
            params = check_structure(content)
            check_classes(plain(content), read_definitions())
    except UserError:
        # DVC keeps this file; from before the mistake, it must not let other stages run.
        result.unlink(missing_ok=True)
        raise
    for path in undeclared(params.baselines.root, params.nets.root):
        path.unlink()
        console.say(f"check-params: removed {path}, because params.yaml no longer declares its model")
        if path.is_relative_to(paths.PICTURES.folder) and not any(path.parent.iterdir()):
            path.parent.rmdir()
    save_json(paths.DECLARED, {"baselines": [*params.baselines.root], "nets": [*params.nets.root]})
    save_text(result, "params.yaml is in order\n")


if __name__ == "__main__":
    run("check-params", main, timed=True)
