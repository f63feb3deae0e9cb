"""Stage fetch: brings the data set into data/raw, the same bytes from every source.

Run as `python -m stages.fetch` from the root of the repository.
"""

from stages.shared.process.run import run


def main() -> None:
    """Read, check, write; nothing is written unless all is well."""
    from stages.fetch import sources
    from stages.fetch.checks import check_classes, check_sums, size
    from stages.shared.files.datasets import save_raw
    from stages.shared.params import fetch_section as params
    from stages.shared.process.console import say

    wanted = params.load()
    raw, shown = sources.fetch(wanted.source, wanted.openml)
    classes = check_classes(raw.labels, shown)
    if wanted.sha256 is not None:
        check_sums({"images": raw.images, "labels": raw.labels}, wanted.sha256.model_dump(), shown)
    save_raw(raw)
    count = f"{len(raw.labels):,} images of {size(raw.images)} pixels in {classes} classes"
    own = f", the first {raw.train_rows:,} for training" if raw.train_rows is not None else ""
    say(f"fetched {count} from {shown}{own}")


if __name__ == "__main__":
    run("fetch", main, timed=True)
