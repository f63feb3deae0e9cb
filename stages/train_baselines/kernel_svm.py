"""Kernel support vector machines: scikit-learn's SVC with faster fitting and prediction."""

import warnings
from itertools import combinations, pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC
from sklearn.utils.validation import validate_data

BLOCK_ROWS = 1000  # rows whose kernel matrix is in memory at once: 80 MB for 10,000 support vectors
ONEDAL_KERNELS = ("linear", "poly", "rbf", "sigmoid")
ONEDAL_ITERATIONS = 10_000  # SVC sets no limit, oneDAL needs one; one of its iterations is many of libsvm's


class FastSVC(SVC):
    """scikit-learn's SVC, fitted by oneDAL and evaluated by matrix products for the RBF kernel.

    Takes the same parameters and learns the same attributes, so that `acceleration.plain` can turn it into an SVC.

    `fit` uses oneDAL if scikit-learn-intelex is installed, X is dense, the kernel is one of oneDAL's, and there are
    no weights, no probability estimates and no iteration limit; libsvm fits everything else. oneDAL solves the same
    problem to the same tolerance in the precision of X, so its solution is close to libsvm's but not equal. The
    result is the same to the last byte for the same number of threads on the same kind of processor; another number
    of threads changes the order of summation.

    `decision_function` and `predict` agree with SVC's for the same fitted attributes, up to float64 rounding.

    Expected times on two cores (AMD Zen 3): 6 s instead of 16 to fit 12,000 digits, and 3 s instead of about 40 to
    predict 14,000 with that model.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model as SVC does; oneDAL computes in float32 if X is float32, otherwise in float64."""
        suitable = (
            self.kernel in ONEDAL_KERNELS
            and self.gamma != 0  # oneDAL divides by it
            and self.class_weight is None
            and self.probability == "deprecated"  # the default: no probability estimates
            and self.max_iter == -1
            and sample_weight is None
            and not issparse(X)
        )
        solver = onedal_svc() if suitable else None
        if solver is None:
            return super().fit(X, y, sample_weight)
        rows, labels = validate_data(self, X, y, dtype=[np.float64, np.float32], order="C")
        gamma = _gamma_value(self.gamma, rows)
        try:
            learned = solver(**{**self.get_params(), "gamma": gamma, "max_iter": ONEDAL_ITERATIONS}).fit(rows, labels)
        except ValueError:
            # An invalid parameter or label: SVC raises the error that users of this class expect.
            return super().fit(X, y)
        for name, value in fitted_attributes(learned, rows, gamma).items():
            setattr(self, name, value)
        if self.fit_status_ == 1:
            warnings.warn(
                f"Solver terminated early ({ONEDAL_ITERATIONS} iterations). Consider scaling the data, or lower C.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    # Private methods of SVC: its public ones validate the input, call these and turn their result into scores and
    # classes. If scikit-learn renames them, results stay right but are slow; a test fails then.

    def _dense_decision_function(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._pairwise_values(X) if self.kernel == "rbf" else super()._dense_decision_function(X)

    def _dense_predict(self, X: NDArray[np.float64]) -> NDArray[Any]:
        if self.kernel != "rbf":
            return super()._dense_predict(X)
        votes = np.zeros((len(X), len(self.classes_)), int)
        pairs = combinations(range(len(self.classes_)), 2)
        for (first, second), values in zip(pairs, self._pairwise_values(X).T, strict=True):
            votes[:, first] += values > 0
            votes[:, second] += values <= 0
        return votes.argmax(axis=1)  # the first class of a tie, as in libsvm

    def _pairwise_values(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return libsvm's value for each pair of classes, positive for the first: shape (n, number of pairs).

        The value for classes i < j is the sum of coefficient * kernel(x, s) over their support vectors s, plus an
        intercept. Row j - 1 of the dual coefficients belongs to the vectors of i, row i to those of j
        (https://scikit-learn.org/stable/modules/svm.html#multi-class-classification).
        """
        n_classes = len(self.classes_)
        vectors = [slice(*ends) for ends in pairwise(np.cumsum([0, *self.n_support_]))]
        values = np.empty((len(X), n_classes * (n_classes - 1) // 2))
        for start in range(0, len(X), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            kernel = rbf_kernel(X[rows], self.support_vectors_, gamma=self._gamma)
            # For each class, the contribution of its vectors to each of its pairs: (rows, n_classes - 1).
            sums = [kernel[:, own] @ self._dual_coef_[:, own].T for own in vectors]
            for pair, (i, j) in enumerate(combinations(range(n_classes), 2)):
                values[rows, pair] = sums[i][:, j - 1] + sums[j][:, i] + self._intercept_[pair]
        return values


def fitted_attributes(learned: SVC, rows: NDArray[np.floating], gamma: float) -> dict[str, Any]:
    """Return the attributes that `SVC.fit` sets, apart from those of `validate_data`, with oneDAL's solution.

    SVC's own methods, here and in a program that loads the saved model, read private attributes as well, which no
    public function sets. This is the one place that sets them; a test compares their names and types with SVC's.

    Parameters
    ----------
    learned : SVC
        scikit-learn-intelex's, fitted on `rows`.
    rows : ndarray of float32 or float64, shape (n, features)
        The training rows.
    gamma : float
        The kernel coefficient, 0 or greater.
    """
    # libsvm reads the arrays from memory, hence the exact types and the C order.
    support = np.asarray(learned.support_, np.int32)  # sorted by class, as in libsvm
    dual_coef = np.array(learned.dual_coef_, np.float64, order="C")
    intercept = np.array(learned.intercept_, np.float64)
    n_iter = np.asarray(learned.n_iter_, np.int32)
    # For two classes the public signs favour the second class; libsvm computes with the opposite ones.
    two = len(learned.classes_) == 2
    return {
        "class_weight_": learned.class_weight_,
        "classes_": learned.classes_,
        "_sparse": False,
        "_effective_probability": False,
        "_gamma": gamma,
        "support_": support,
        "support_vectors_": rows[support].astype(np.float64),
        "_n_support": np.asarray(learned.n_support_, np.int32),
        "dual_coef_": dual_coef,
        "intercept_": intercept,
        "_dual_coef_": -dual_coef if two else dual_coef,
        "_intercept_": -intercept if two else intercept.copy(),
        "_probA": np.empty(0),
        "_probB": np.empty(0),
        "shape_fit_": rows.shape,
        "_num_iter": n_iter,
        "n_iter_": n_iter,
        "fit_status_": int(n_iter.max() >= ONEDAL_ITERATIONS),
    }


def _gamma_value(gamma: Any, rows: NDArray[np.floating]) -> Any:
    """Return the number that SVC uses for a setting of `gamma`."""
    if gamma == "scale":
        variance = rows.var(dtype=np.float64)
        return 1.0 / (rows.shape[1] * variance) if variance != 0 else 1.0
    return 1.0 / rows.shape[1] if gamma == "auto" else gamma


def onedal_svc() -> type[SVC] | None:
    """Return scikit-learn-intelex's SVC, or None where it is not installed: it has no version for ARM."""
    try:
        import sklearnex.svm  # here, because it is slow to load and only `fit` needs it
    except ImportError:
        return None
    return sklearnex.svm.SVC
