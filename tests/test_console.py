"""What a stage says to a terminal and into a pipe."""

import os
import pty
import sys
import termios

import pytest

from stages.shared.process import console


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    os.set_blocking(reader, False)
    termios.tcsetwinsize(writer, (24, 80))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.progress("reading", 2_000_000, "B") as advance:
            advance(500_000)
            advance(1_500_000)
        terminal.flush()
        drawn = os.read(reader, 100_000).decode()
    os.close(reader)
    assert "reading:   0%" in drawn
    assert "2.00M" in drawn
    assert drawn.rpartition("\r")[0].rpartition("\r")[2].strip() == "", "the bar is overwritten"


def test_a_pipe_gets_lines_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    for total in (300, None):
        with console.progress("search", total, "rows") as advance:
            for _ in range(3):
                now[0] += 6
                advance(1_000 if total is None else 100)
    assert capsys.readouterr().out.splitlines() == ["search: 200 of 300 rows", "search: 2,000 rows"]
