"""Linear support vector machines: scikit-learn's LinearSVC, with the classes fitted in parallel."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data


class ParallelLinearSVC(LinearSVC):
    """scikit-learn's LinearSVC, with its one-vs-rest problems solved in parallel.

    Takes the same parameters plus `n_jobs`, and learns the same attributes, so that `acceleration.plain` can turn it
    into a LinearSVC.

    LinearSVC solves one problem per class, one after the other. Here threads do, because liblinear releases the
    global interpreter lock. The rows are in another order, and so is the summation: the result equals LinearSVC's up
    to its tolerance. `make bench` measures the speed-up.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads: None means 1, -1 all processor cores. It does not affect the result.
    """

    # scikit-learn reads the parameters from this signature.
    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: bool | str = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            penalty=penalty,
            loss=loss,
            dual=dual,
            tol=tol,
            C=C,
            multi_class=multi_class,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            class_weight=class_weight,
            verbose=verbose,
            random_state=random_state,
            max_iter=max_iter,
        )
        self.n_jobs = n_jobs

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
        settings = {name: value for name, value in self.get_params().items() if name != "n_jobs"}
        try:
            problems = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(LinearSVC(**settings).fit)(sparse, labels == label, sample_weight) for label in classes
            )
        except ValueError:
            # An invalid parameter: LinearSVC raises the error that users of this class expect.
            return super().fit(X, y, sample_weight)
        self.classes_ = classes
        self.coef_ = np.vstack([problem.coef_ for problem in problems])
        self.intercept_ = np.concatenate([problem.intercept_ for problem in problems]) if self.fit_intercept else 0.0
        self.n_iter_ = max(problem.n_iter_ for problem in problems)
        return self
