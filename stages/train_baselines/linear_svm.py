"""Linear support vector machines: scikit-learn's LinearSVC, with the classes fitted in parallel."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data


class ParallelLinearSVC(LinearSVC):
    """scikit-learn's LinearSVC, with its one-vs-rest problems solved in parallel.

    Takes the same parameters and learns the same attributes, so that `acceleration.plain` can turn it into a LinearSVC.

    LinearSVC solves one problem per class, one after the other. Here threads do, because liblinear releases the
    global interpreter lock. The rows are in another order, and so is the summation: the result equals LinearSVC's up
    to its tolerance. `make bench` measures the speed-up.

    Attributes
    ----------
    n_jobs : int or None
        Number of threads: None means 1, -1 all processor cores. Not a parameter, as it does not affect the result.
    """

    n_jobs: int | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model as LinearSVC does."""
        # Rows stay float32 until they are compressed: liblinear computes in float64, but that would take more memory.
        rows, labels = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], order="C", accept_large_sparse=False
        )
        check_classification_targets(labels)
        classes = np.unique(labels)
        primal = self.dual is False or (self.dual == "auto" and rows.shape[0] >= rows.shape[1])
        # The other solvers draw random numbers, which all threads of a process take from one generator.
        random = self.penalty != "l2" or self.loss != "squared_hinge" or not primal
        if random or len(classes) == 2 or self.multi_class != "ovr" or self.class_weight is not None:
            return super().fit(X, y, sample_weight)
        sparse = csr_array(rows).astype(np.float64)
        try:
            problems = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(LinearSVC(**self.get_params()).fit)(sparse, labels == label, sample_weight) for label in classes
            )
        except ValueError:
            # An invalid parameter: LinearSVC raises the error that users of this class expect.
            return super().fit(X, y, sample_weight)
        self.classes_ = classes
        self.coef_ = np.vstack([problem.coef_ for problem in problems])
        self.intercept_ = np.concatenate([problem.intercept_ for problem in problems]) if self.fit_intercept else 0.0
        self.n_iter_ = max(problem.n_iter_ for problem in problems)
        return self
