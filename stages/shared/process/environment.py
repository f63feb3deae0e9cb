"""Environment variables that results depend on; docs/reproducibility.md lists them."""

import os
import sys
import warnings

SET = {
    "KERAS_HOME": os.devnull,  # not a folder, so that no keras.json is read or written
    "MPLBACKEND": "agg",  # Jupyter sets a backend that only its own environment has
    "TF_ENABLE_ONEDNN_OPTS": "1",  # by default only on new processors; on older ones it saves more time
}
# Names, and beginnings of names: floating-point formats, kernels and instruction sets, limits of training, checks of
# data, and numbers of threads, which `training.threads` sets.
CLEARED = (
    *("AUTOGRAPH_", "KERAS_", "ONEDNN_", "DNNL_", "TENSORFLOW_", "TF_", "XLA_"),
    *("DAAL_", "IDP_SKLEARN_", "JOBLIB_", "LOKY_", "MKL_", "NPY_", "NUMPY_", "ONEDAL_", "OPENCV_", "PANDAS_"),
    *("SCIPY_", "SKLEARNEX_", "SKLEARN_", "MATPLOTLIBRC", "PYTHONWARNINGS"),
    *("BLIS_NUM_THREADS", "GOMP_", "GOTO_NUM_THREADS", "KMP_", "NUMEXPR_", "OMP_", "VECLIB_MAXIMUM_THREADS"),
    *("OPENBLAS_DEFAULT_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
)
# TensorFlow's log level; on macOS, the remedy for two copies of OpenMP.
KEPT = ("TF_CPP_", "KMP_DUPLICATE_LIB_OK")


def prepare_environment() -> None:
    """Set and clear the variables that change the results of libraries; call it before they are imported."""
    for name in list(os.environ):
        if name.startswith(CLEARED) and not name.startswith(KEPT):
            del os.environ[name]
    os.environ.update(SET)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # only warnings and errors
    if os.path.expanduser("~") == "~":  # noqa: PTH111  Path.home() raises an exception, in altair too
        os.environ["HOME"] = os.devnull  # a container's user without a name has no home folder
    if sys.warnoptions:
        # PYTHONWARNINGS=error makes errors of the libraries' own warnings.
        warnings.filters = [each for each in warnings.filters if each[0] != "error"]
