"""Progress on a terminal and in a pipe."""

import os
import pty
import sys
import termios

import pytest

from stages.shared.process import console


def test_a_terminal_shows_a_bar_that_disappears_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    os.set_blocking(reader, False)
    termios.tcsetwinsize(writer, (24, 80))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.progress("reading", 2_000_000, "B") as advance:
            advance(500_000)
            advance(1_500_000)
        terminal.flush()
        output = os.read(reader, 100_000).decode()
    os.close(reader)
    assert "reading:   0%" in output
    assert "2.00M" in output
    assert output.rpartition("\r")[0].rpartition("\r")[2].strip() == "", "the bar is overwritten"


@pytest.mark.parametrize(
    ("total", "at_most", "rows", "line"),
    [
        (300, False, 100, "search: 200 of 300 rows"),
        (300, True, 100, "search: 200 of at most 300 rows"),
        (None, False, 1_000, "search: 2,000 rows"),
    ],
)
def test_a_pipe_gets_a_line_every_ten_seconds(
    total: int | None,
    at_most: bool,
    rows: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress("search", total, "rows", at_most) as advance:
        for _ in range(3):
            now[0] += 6
            advance(rows)
    assert capsys.readouterr().out.splitlines() == [line]
