"""Stage fetch: writes the data set to data/raw, the same bytes from every source.

Run as `python -m stages.fetch` from the root of the repository.
"""

from stages.shared.process.run import run


def main() -> None:
    """Read, check and write the data set; if a check fails, nothing is written."""
    from stages.fetch import sources
    from stages.fetch.checks import check_classes, check_sums, size
    from stages.fetch.grey_values import edges, notes, to_bytes
    from stages.shared.files.datasets import Preparation, save_raw
    from stages.shared.params import fetch_section as params
    from stages.shared.process.console import say

    settings = params.load()
    source, shown = sources.fetch(settings)
    classes = check_classes(source.labels, shown)
    images = to_bytes(source.images, settings, shown)
    preparation = Preparation(
        settings.preparation, settings.inverted, settings.square, settings.transparent, edges(images) / 255
    )
    raw = source._replace(images=images, preparation=preparation)
    if settings.sha256 is not None:
        check_sums({"images": raw.images, "labels": raw.labels}, settings.sha256.model_dump(), shown)
    save_raw(raw)
    training = f", the first {raw.train_rows:,} for training" if raw.train_rows is not None else ""
    say(f"fetched {len(raw.labels):,} images of {size(raw.images)} pixels in {classes} classes from {shown}{training}")
    for note in notes(raw.images, raw.train_rows, float(source.images.max()), settings, shown):
        say(f"fetch: {note}")


if __name__ == "__main__":
    run("fetch", main, timed=True)
