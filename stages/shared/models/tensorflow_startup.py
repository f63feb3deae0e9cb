"""Imports TensorFlow quietly."""

import os
import sys
import tempfile

START_UP = (b"oneDNN custom operations are on", b"log messages before absl::InitializeLog()")


def start_tensorflow() -> None:
    """Import TensorFlow without its log messages at start-up; call this before the first import of Keras."""
    # Two messages precede the log level, so stderr goes to a file during the import.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            messages.seek(0)
            shown = b"".join(line for line in messages if not any(text in line for text in START_UP))
            sys.stderr.write(shown.decode(errors="replace"))
