"""The stages of the pipeline, each run as `python -m stages.NAME`."""

import importlib.util
import sys

# DVC runs the first `python` on PATH.
if importlib.util.find_spec("skops") is None:
    sys.exit(f"{sys.executable} is not the Python of the project's environment: run 'source .venv/bin/activate' first")
