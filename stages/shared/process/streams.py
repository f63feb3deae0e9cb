"""Standard output and error: a reader that went away, a full disk, closed streams, encodings of few characters."""

import errno
import io
import os
import sys
from typing import Any

from stages.shared.errors import UserError

# Nobody reads: a pipe's reader has ended (`dvc repro | head`), a terminal was closed, a stream is not open for writing.
NO_READER = (errno.EPIPE, errno.EIO, errno.EBADF)


class _Stream(io.FileIO):
    """A standard stream that discards everything after it could not be written."""

    broken = False

    def write(self, data: Any) -> int:
        """Write bytes; raises UserError once if standard output cannot be written, for example to a full disk."""
        try:
            if not self.broken:
                return super().write(data)
        except OSError as error:
            self.broken = True
            # There is no place to report that standard error cannot be written.
            if error.errno not in NO_READER and self.fileno() == 1:
                raise UserError(f"cannot write to standard output: {error.strerror}") from None
        return len(data)


def prepare_streams() -> None:
    """Replace standard output and error by streams that do not end the program, and escape unknown characters."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The next file to be opened would get the number of the closed stream, and its output.
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        encoding = getattr(getattr(sys, name), "encoding", "utf-8")
        buffer = io.BufferedWriter(_Stream(number, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True))
