"""The stages of the pipeline, each run as `python -m stages.NAME`."""

import signal
import sys

# So Python calls itself until it has found the module to run: from here on, before anything slow is imported, a stage
# can be ended. Whoever imports the package is left alone.
if sys.argv[0] == "-m" and hasattr(signal, "pthread_sigmask"):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    from stages.program.supervision import supervise

    name = next((argument for argument in sys.orig_argv if argument.startswith("stages.")), "stages.stage")
    supervise(name.removeprefix("stages.").replace("_", "-"))
