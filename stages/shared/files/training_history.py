"""How a net's training went, epoch by epoch, and its summary."""

import pandas as pd

from stages.shared.errors import UserError
from stages.shared.files.paths import HISTORY, SUMMARIES
from stages.shared.files.whole_files import DAMAGE, replacing, require_file


def save_history(name: str, history: pd.DataFrame) -> None:
    """Write reports/history/NAME.csv: a row an epoch.

    Parameters
    ----------
    name : str
        The net's name.
    history : DataFrame
        Columns epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    """
    with replacing(HISTORY / f"{name}.csv") as temporary:
        history.round(6).to_csv(temporary, index=False, lineterminator="\n")


def load_history(name: str) -> pd.DataFrame:
    """Read reports/history/NAME.csv; raises UserError."""
    path = require_file(HISTORY / f"{name}.csv")
    try:
        history = pd.read_csv(path)
        if missing := {"epoch", "accuracy", "loss"} - set(history):
            raise ValueError(f"no column {min(missing)}")
        return history.astype(float).astype({"epoch": int})
    except DAMAGE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is damaged ({reason}); run 'dvc repro', which makes it again") from error


def save_summary(name: str, text: str) -> None:
    """Write Keras's summary of a net as reports/summaries/NAME.txt."""
    with replacing(SUMMARIES / f"{name}.txt") as temporary:
        temporary.write_text(text, encoding="utf-8")
