"""Importing TensorFlow with the settings that results depend on."""

import os
import sys
import tempfile


def start_tensorflow() -> None:
    """Import TensorFlow with the same kernels on every processor, and without its start-up notes.

    Call it before the first import of Keras.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings and errors, no notes
    # By default TensorFlow uses oneDNN's kernels on the newest processors only; older ones gain more from them.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Two notes come before any log level takes effect, so stderr goes to a file meanwhile.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
