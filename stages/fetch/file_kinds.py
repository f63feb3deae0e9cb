"""Tells files that are not IDX by their first bytes, and what to do with them."""

NEEDED = 512  # bytes; the magic number of tar begins at 257

UNPACK = "unpack it, and set fetch.source to the unpacked folder"
CONVERT = "docs/make-it-yours.md lists what fetch.source can be"
AGAIN = "fetch the file again"

# IDX: the magic numbers, and the third byte of others.
IDX = {b"\0\0\x08\3": "an IDX file of images", b"\0\0\x08\1": "an IDX file of labels"}
TYPES = {8: "bytes", 9: "signed bytes", 11: "16-bit integers", 12: "32-bit integers", 13: "floats", 14: "doubles"}

MAGIC: dict[bytes, tuple[str, str]] = {
    b"version https://git-lfs": ("a Git LFS pointer in place of the file", "run `git lfs pull` where it comes from"),
    b"/annex/objects/": ("a git-annex pointer in place of the file", "run `git annex get` where it comes from"),
    b"\x1f\x8b": ("a gzip file within a gzip file", "decompress it once"),
    b"BZh": ("compressed by bzip2", UNPACK),
    b"\xfd7zXZ": ("compressed by xz", UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed by Zstandard", UNPACK),
    b"\x1f\x9d": ("compressed by compress (.Z)", UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", UNPACK),
    b"Rar!": ("a RAR archive", UNPACK),
    b"MATLAB": ("a MATLAB file (.mat)", CONVERT),
    b"\x89HDF": ("an HDF5 file", CONVERT),
    b"\x93NUMPY": ("a NumPy array (.npy)", CONVERT),
    b"PAR1": ("a Parquet file", CONVERT),
    b"ARROW1": ("an Arrow file", CONVERT),
    b"\x89PNG": ("a PNG picture", CONVERT),
    b"\xff\xd8\xff": ("a JPEG picture", CONVERT),
    b"GIF8": ("a GIF picture", CONVERT),
    b"II*\0": ("a TIFF picture", CONVERT),
    b"MM\0*": ("a TIFF picture", CONVERT),
    b"%PDF": ("a PDF document", CONVERT),
}


def describe(start: bytes) -> str:
    """Describe a file that is not the expected IDX file.

    Parameters
    ----------
    start : bytes
        The first `NEEDED` bytes, or all of a smaller file.

    Returns
    -------
    str
        What it is, and what to do: "a ZIP archive; unpack it, ..."
    """
    kind, remedy = _kind(start)
    return f"{kind}; {remedy}"


def _kind(start: bytes) -> tuple[str, str]:
    known = next((found for magic, found in MAGIC.items() if start.startswith(magic)), None)
    if known:
        return known
    if start.startswith(b"PK"):
        return ("a NumPy archive (.npz)", CONVERT) if b".npy" in start[:256] else ("a ZIP archive", UNPACK)
    if start[257:262] == b"ustar":
        return "a tar archive", UNPACK
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "a Python pickle", CONVERT
    if not start.strip(b"\0"):
        return "only zero bytes", AGAIN
    if start[:4] in IDX:
        return IDX[start[:4]], "check the names of the files"
    if start[:2] == b"\0\0" and len(start) > 3 and start[2] in TYPES:
        return f"an IDX file of {TYPES[start[2]]} with {start[3]} axes", "images have bytes and 3 axes, labels 1 axis"
    return _text(start)


def _text(start: bytes) -> tuple[str, str]:
    text = start.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n")
    if not text or not all(each.isprintable() or each in "\t\r\n" for each in text):
        return f"another kind of file: the first bytes are {start[:8].hex(' ')}", AGAIN
    if text[0] == "<":
        html = text.lower().startswith(("<!doctype html", "<html"))
        return f"{'a web page (HTML)' if html else 'an XML document'} in place of the file", f"{AGAIN}, in a browser"
    line = text.splitlines()[0]
    if max(line.count(separator) for separator in ",;\t") > 1:
        return "a table (CSV)", CONVERT
    return f"text that begins with '{line[:40]}'", AGAIN
