"""Stage normalise-and-split: rescales the raw images and divides them into train, validation and test set."""

from stages.shared.process.run import run


def main() -> None:
    """Read data/raw; write data/split and the number of duplicate images."""
    import numpy as np

    from stages.normalise_and_split.duplicates import count_duplicates, describe
    from stages.normalise_and_split.normalise import encode, normalise
    from stages.normalise_and_split.split import divide
    from stages.shared.files.datasets import SETS, load_raw, save_classes, save_preparation, save_set
    from stages.shared.files.paths import DUPLICATES
    from stages.shared.files.text_files import save_json
    from stages.shared.params import split_section as params
    from stages.shared.process import console

    settings = params.load()
    raw = load_raw()
    codes, names = encode(raw.labels, settings.class_names)
    division = divide(
        codes,
        names,
        test=None if settings.test == params.OFFICIAL else settings.test,
        validation=settings.validation,
        random_state=settings.random_state,
        rows=settings.rows,
        train_rows=raw.train_rows,
    )
    for name, rows in zip(SETS, division, strict=True):
        save_set(name, normalise(np.asarray(raw.images[rows])), codes[rows])
    save_classes(names, *raw.images.shape[1:])
    save_preparation(raw.preparation)
    counts = count_duplicates(raw.images, codes, division)
    save_json(DUPLICATES, counts)
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in zip(SETS, division, strict=True))
    console.say(f"normalise-and-split: {sizes} rows of {len(names)} classes")
    if len(untested := np.setdiff1d(codes, codes[division.test])):
        console.say(f"normalise-and-split: no test rows of {', '.join(names[code] for code in untested)}")
    if any(counts.values()):
        console.say(f"normalise-and-split: duplicate images: {describe(counts)}")


if __name__ == "__main__":
    run("normalise-and-split", main, timed=True)
