"""Imports TensorFlow with the settings that results depend on."""

import os
import sys
import tempfile

START_UP = (b"oneDNN custom operations are on", b"log messages before absl::InitializeLog()")


def start_tensorflow() -> None:
    """Import TensorFlow with the same kernels on every processor, and without its log messages at start-up.

    Call this before the first import of Keras.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # only warnings and errors
    # By default, TensorFlow uses oneDNN only on new processors; on older ones it saves more time.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
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
            os.write(2, b"".join(line for line in messages if not any(text in line for text in START_UP)))
