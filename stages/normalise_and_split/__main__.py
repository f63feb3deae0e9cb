"""Stage normalise-and-split: the raw data set to three sets that models take."""

from stages.shared.process.run import run


def main() -> None:
    """Read data/raw, write data/split and the number of duplicates."""
    import numpy as np

    from stages.normalise_and_split.duplicates import described, duplicates
    from stages.normalise_and_split.normalise import encode, normalise
    from stages.normalise_and_split.split import divide
    from stages.shared.files.datasets import SETS, load_raw, save_classes, save_set
    from stages.shared.files.formats import save_json
    from stages.shared.files.paths import DUPLICATES
    from stages.shared.params import split_section as params
    from stages.shared.process import console

    settings = params.load()
    raw = load_raw()
    codes, names = encode(raw.labels, settings.class_names)
    division = divide(
        codes,
        test=None if settings.test == params.OFFICIAL else settings.test,
        validation=settings.validation,
        random_state=settings.random_state,
        rows=settings.rows,
        train_rows=raw.train_rows,
    )
    for name, rows in zip(SETS, division, strict=True):
        save_set(name, normalise(np.asarray(raw.images[rows])), codes[rows])
    save_classes(names, *raw.images.shape[1:])
    copies = duplicates(raw.images, codes, division)
    save_json(DUPLICATES, copies)
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in zip(SETS, division, strict=True))
    console.say(f"normalise-and-split: {sizes} rows of {len(names)} classes")
    if len(untested := np.setdiff1d(codes, codes[division.test])):
        console.say(f"normalise-and-split: no test rows of {', '.join(names[code] for code in untested)}")
    if any(copies.values()):
        console.say(f"normalise-and-split: images that are the same, pixel by pixel: {described(copies)}")


if __name__ == "__main__":
    run("normalise-and-split", main, timed=True)
