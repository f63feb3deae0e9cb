"""Linear support vector machines: scikit-learn's LinearSVC, each class against the rest on a core of its own."""

from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data

Model = TypeVar("Model", bound=LinearSVC)


class ParallelLinearSVC(LinearSVC):
    """scikit-learn's LinearSVC, which fits its classes side by side.

    Takes the same parameters and learns the same attributes, so that `plain` makes a LinearSVC of it. How many cores
    it uses is joblib's to say (`joblib.parallel_config`); the result is the same with any number.

    A class against the rest is a problem of its own, and LinearSVC has liblinear solve one after the other. Here
    threads do, as liblinear lets go of Python's lock. The rows come in another order, and so do the sums: the result
    is LinearSVC's up to its tolerance, not to the last digit.

    `make bench` measures what it gains.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
        y : array-like of shape (n,)
            Labels of two or more classes.
        sample_weight : array-like of shape (n,), or None

        Returns
        -------
        ParallelLinearSVC
            This object.

        Raises
        ------
        ValueError
            As in scikit-learn, for parameters or data that it refuses.
        """
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
        settings = self.get_params(deep=False)
        contests = Parallel(prefer="threads")(
            delayed(LinearSVC(**settings).fit)(sparse, labels == label, sample_weight) for label in classes
        )
        self.classes_ = classes
        self.coef_ = np.vstack([contest.coef_ for contest in contests])
        self.intercept_ = np.concatenate([contest.intercept_ for contest in contests]) if self.fit_intercept else 0.0
        self.n_iter_ = max(contest.n_iter_ for contest in contests)
        return self


def plain(model: LinearSVC) -> LinearSVC:
    """Return the same model as scikit-learn's own class, which any scikit-learn can load from disk.

    Parameters
    ----------
    model : LinearSVC
        Fitted or not. It is not changed, and the result shares its arrays.
    """
    return _as_class(LinearSVC, model)


def accelerated(model: LinearSVC) -> ParallelLinearSVC:
    """Return the same model as `ParallelLinearSVC`: what `plain` undoes.

    Parameters
    ----------
    model : LinearSVC
        Fitted or not. It is not changed, and the result shares its arrays.
    """
    return _as_class(ParallelLinearSVC, model)


def _as_class(cls: type[Model], model: LinearSVC) -> Model:
    twin = cls(**model.get_params(deep=False))
    vars(twin).update(vars(model))
    return twin
