"""Linear support vector machines: scikit-learn's LinearSVC, each class against the rest on a core of its own."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data


class ParallelLinearSVC(LinearSVC):
    """scikit-learn's LinearSVC, which fits its classes side by side.

    Takes the same parameters and one more, and learns the same attributes, so that `acceleration.plain` makes a
    LinearSVC of it.

    A class against the rest is a problem of its own, and LinearSVC has liblinear solve one after the other. Here
    threads do, as liblinear lets go of Python's lock. The rows come in another order, and so do the sums: the result
    is LinearSVC's up to its tolerance, not to the last digit. `make bench` measures what it gains.

    Parameters
    ----------
    n_jobs : int or None
        How many cores, as everywhere in scikit-learn: None is one, -1 all. The result is the same with any number.
    """

    # scikit-learn reads the parameters of a classifier from its signature.
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
        """Fit the model, as LinearSVC does."""
        self._validate_params()
        # float32 does not come out of liblinear's doubles, but halves what is held before they are made.
        rows, labels = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], order="C", accept_large_sparse=False
        )
        check_classification_targets(labels)
        classes = np.unique(labels)
        primal = self.dual is False or (self.dual == "auto" and rows.shape[0] >= rows.shape[1])
        # The other solvers draw random numbers, all threads of a process from one source.
        drawn = self.penalty != "l2" or self.loss != "squared_hinge" or not primal
        if drawn or len(classes) == 2 or self.multi_class != "ovr" or self.class_weight is not None:
            return super().fit(X, y, sample_weight)
        sparse = csr_array(rows).astype(np.float64)
        settings = _without_jobs(self)
        contests = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(LinearSVC(**settings).fit)(sparse, labels == label, sample_weight) for label in classes
        )
        self.classes_ = classes
        self.coef_ = np.vstack([contest.coef_ for contest in contests])
        self.intercept_ = np.concatenate([contest.intercept_ for contest in contests]) if self.fit_intercept else 0.0
        self.n_iter_ = max(contest.n_iter_ for contest in contests)
        return self


def _without_jobs(model: LinearSVC) -> dict[str, Any]:
    return {name: value for name, value in model.get_params(deep=False).items() if name != "n_jobs"}
