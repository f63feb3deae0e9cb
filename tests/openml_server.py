"""The answers of OpenML for a web server on loopback to give."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reliability.loopback import Answer

OPENML = "https://www.openml.org"


def openml(
    pixels: NDArray[Any],
    labels: Sequence[str],
    *,
    name: str = "digits",
    version: int = 1,
    data_id: int = 554,
    numeric_labels: bool = False,
) -> dict[str, Answer]:
    """Return OpenML's answers, by path, for a data set with a column for each pixel.

    Parameters
    ----------
    pixels : ndarray, shape (n, columns)
        Values, written as they print; None is written as "?".
    labels : sequence of str
        Labels, shape (n,).
    name, version, data_id
        As OpenML would list it.
    numeric_labels : bool
        Declare the label column numeric, not nominal.
    """
    columns = [f"pixel{i + 1}" for i in range(pixels.shape[1])]
    classes = sorted(set(labels))
    kind = "REAL" if numeric_labels else "{" + ",".join(map(_quoted, classes)) + "}"
    arff = "\n".join(
        [
            f"% {name}",
            f"@RELATION {name}",
            *(f"@ATTRIBUTE {column} REAL" for column in columns),
            f"@ATTRIBUTE class {kind}",
            "@DATA",
            *(
                ",".join(["?" if value is None else str(value) for value in row] + [_quoted(label)])
                for row, label in zip(pixels.tolist(), labels, strict=True)
            ),
            "",
        ]
    ).encode()
    features = [_feature(i, column, "numeric") for i, column in enumerate(columns)]
    features.append(_feature(len(columns), "class", "numeric" if numeric_labels else "nominal", target=True))
    file = f"/data/v1/download/{data_id}/{name}.arff"
    description = {
        "id": str(data_id),
        "name": name,
        "version": str(version),
        "description": "synthetic",
        "format": "ARFF",
        "url": OPENML + file,
        "file_id": str(data_id),
        "default_target_attribute": "class",
        "status": "active",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    listed = {"did": data_id, "name": name, "version": version, "status": "active", "format": "ARFF"}
    rows = {"quality": [{"name": "NumberOfInstances", "value": f"{len(labels)}.0"}]}
    return {
        f"/api/v1/json/data/list/data_name/{name}/limit/2/data_version/{version}": _json(
            {"data": {"dataset": [listed]}}
        ),
        f"/api/v1/json/data/{data_id}": _json({"data_set_description": description}),
        f"/api/v1/json/data/features/{data_id}": _json({"data_features": {"feature": features}}),
        f"/api/v1/json/data/qualities/{data_id}": _json({"data_qualities": rows}),
        file: Answer(gzip.compress(arff), headers={"Content-Encoding": "gzip"}),
    }


def unknown_data() -> Answer:
    """Return OpenML's answer about a data set that it does not have."""
    return Answer(b'{"error":{"code":"111","message":"Unknown dataset"}}', 412)


def changed(answer: Answer, **description: Any) -> Answer:
    """Change some of what OpenML says of a data set."""
    content = json.loads(answer.body)
    content["data_set_description"] |= description
    return _json(content)


def _quoted(label: str) -> str:
    return f"'{label}'" if " " in label else label


def _feature(index: int, name: str, kind: str, target: bool = False) -> dict[str, str]:
    return {
        "index": str(index),
        "name": name,
        "data_type": kind,
        "is_target": str(target).lower(),
        "is_ignore": "false",
        "is_row_identifier": "false",
        "number_of_missing_values": "0",
    }


def _json(content: dict[str, Any]) -> Answer:
    return Answer(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def columns_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay images out as OpenML does: a row for each, (n, side * side)."""
    return images.reshape(len(images), -1)
