"""A small finished run without training: made-up predictions in the files that the report is made of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.evaluate.leaderboard import as_markdown, leaderboard
from stages.evaluate.metrics import model_metrics, per_class
from stages.store.arrays import save_classes, save_set
from stages.store.files import places
from stages.store.history import save_history
from stages.store.predictions import Predictions, save_facts, save_predictions
from stages.store.reports import save_json, save_table, save_text

NAMES = ["<b>0</b>", "T-shirt/top", '"01" & co', "été"]
# Model -> share of the test images that it gets wrong, the best first; two nets and two baselines.
MODELS = {"convolution": 0.05, "neighbours": 0.1, "dense": 0.2, "linear": 0.4}
NETS = {"convolution": 6, "dense": 15}  # epochs
ROWS = 400
SIDE = 12


def write_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what stage report reads into a folder, which becomes the current one."""
    monkeypatch.chdir(folder)
    random = np.random.default_rng(7)
    labels = random.integers(0, len(NAMES), ROWS)
    save_set("test", random.random((ROWS, SIDE, SIDE), dtype=np.float32), labels)
    save_classes(NAMES, SIDE, SIDE)
    metrics, predicted, classes = {}, {}, []
    for name, share in MODELS.items():
        codes = np.where(random.random(ROWS) < share, (labels + 1) % len(NAMES), labels)
        answers = Predictions(codes, np.zeros((ROWS, 0), np.float32), "none")
        save_predictions(name, answers, answers)
        facts = {"train_accuracy": 0.9, "parameters": 1234 if name in NETS else None}
        if name in NETS:
            facts |= {"epochs": NETS[name], "best_epoch": NETS[name] - 1}
            left = 0.8 ** np.arange(NETS[name])
            columns = {"accuracy": 1 - left / 2, "loss": left, "val_accuracy": 0.99 - left / 2, "val_loss": 0.1 + left}
            save_history(name, pd.DataFrame({"epoch": np.arange(1, NETS[name] + 1), **columns}))
            for picture in (f"weights/{name}.hidden.png", f"curves/{name}.png"):
                path = places.PICTURES / picture
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (640, 200), "#dde").save(path)
        save_facts(name, facts)
        metrics[name] = model_metrics((labels, codes), (labels, codes), None, facts, len(NAMES))
        predicted[name] = codes
        classes.append(per_class(name, labels, codes, NAMES))
    rows = leaderboard(metrics, predicted, labels)
    save_json(places.LEADERBOARD, rows)
    save_text(places.LEADERBOARD.with_suffix(".md"), as_markdown(rows, ROWS))
    save_table(places.PER_CLASS, pd.concat(classes))
