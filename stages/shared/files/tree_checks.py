"""Checks that decision trees read from a file refer only to nodes, features and classes that exist.

The libraries do not check it when they predict, and would read other memory.
"""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIGHTGBM_END = "\n\nend of trees\n"  # an empty line ends a tree
LIGHTGBM_LINES = 20  # of the header or a tree; LightGBM reads no more than 22 lines of a tree
DAMAGED = "it has a damaged decision tree"
UNSUPPORTED = "only trees without categories, linear models and vectors in their leaves have a safe file format"


def check_sklearn(part: object) -> None:
    """Check the trees that are attributes of an object.

    Parameters
    ----------
    part : object
        A classifier, or any object in it.

    Raises
    ------
    ValueError
        A tree is not sound.
    """
    attributes = getattr(part, "__dict__", {})
    features = attributes.get("n_features_in_", 0)
    sound = True
    if "tree_" in attributes:
        tree = attributes["tree_"]
        sound = 0 < tree.node_count <= tree.capacity and _sound(
            tree.children_left == -1, tree.children_left, tree.children_right, tree.feature, features
        )
    # Gradient boosting passes pixels to its trees without a check of its own.
    trees = attributes.get("estimators_")
    if isinstance(trees, np.ndarray):
        sound = all(tree.n_features_in_ == features for tree in trees.flat)
    for nodes in (predictor.nodes for group in attributes.get("_predictors", ()) for predictor in group):
        # Categorical splits index other arrays; classifiers that have them cannot be saved here.
        sound = sound and not nodes["is_categorical"].any()
        leaf = nodes["is_leaf"].astype(bool)
        sound = sound and _sound(leaf, nodes["left"], nodes["right"], nodes["feature_idx"], features)
    if not sound:
        raise ValueError(DAMAGED)


def check_lightgbm(text: str) -> None:
    """Check a LightGBM model in its text format, which must end after the trees.

    Raises
    ------
    ValueError, KeyError
        The model is damaged, or has trees that are not supported.
    """
    header, *trees = text.removesuffix(LIGHTGBM_END).split("\n\nTree=")
    facts = _facts(header)
    classes, features = int(facts["num_class"]), int(facts["max_feature_idx"]) + 1
    named = re.findall(r"num_class:(\d+)", facts["objective"])
    # LightGBM would find the trees by `tree_sizes`, past the end of the text if they are too large.
    sound = text.endswith(LIGHTGBM_END) and "tree_sizes" not in facts and set(named) <= {str(classes)}
    if not sound or not 0 < classes == int(facts["num_tree_per_iteration"]) or len(trees) % classes:
        raise ValueError(DAMAGED)
    for tree in trees:
        facts = _facts(f"Tree={tree}")
        leaves = int(facts["num_leaves"])
        keys = "left_child", "right_child", "split_feature", "decision_type", "threshold"
        left, right, feature, decision, threshold = (np.array(facts.get(key, "").split(), float) for key in keys)
        if int(facts["num_cat"]) or int(facts["is_linear"]) or (decision.astype(np.int64) & 1).any():
            raise ValueError(UNSUPPORTED)
        inner = leaves - 1
        lengths = {len(values) for values in (left, right, feature, decision, threshold)}
        # Leaf i is the child -i - 1; here it is a node after all inner nodes.
        left, right = (np.where(child < 0, inner - child - 1, child) for child in (left, right))
        leaf = np.arange(inner + leaves) >= inner
        if lengths != {inner} or len(facts["leaf_value"].split()) != leaves:
            raise ValueError(DAMAGED)
        if not _sound(leaf, left, right, feature, features):
            raise ValueError(DAMAGED)


def check_xgboost(model: dict[str, Any]) -> None:
    """Check an XGBoost model, which is the content of its JSON format.

    Raises
    ------
    ValueError, KeyError
        The model is damaged, or has trees that are not supported.
    """
    learner = model["learner"]
    booster, params = learner["gradient_booster"], learner["learner_model_param"]
    weights = booster.get("weight_drop")  # of the trees of a DART booster
    booster = booster if weights is None else booster["gbtree"]
    if booster["name"] != "gbtree" or booster["model"]["cats"]["enc"] or params["num_target"] != "1":
        raise ValueError(UNSUPPORTED)
    trees, groups, ends = (booster["model"][key] for key in ("trees", "tree_info", "iteration_indptr"))
    classes, features = max(1, int(params["num_class"])), int(params["num_feature"])
    sound = len(trees) == len(groups) == int(booster["model"]["gbtree_model_param"]["num_trees"])
    sound = sound and (weights is None or len(weights) == len(trees))
    sound = sound and all(0 <= group < classes for group in groups)
    sound = sound and ends == sorted(ends) and ends[0] == 0 and ends[-1] == len(trees)
    sound = sound and len(json.loads(params["base_score"])) in (1, classes)
    if not sound:
        raise ValueError(DAMAGED)
    for tree in trees:
        if tree["categories"] or any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise ValueError(UNSUPPORTED)
        keys = "left_children", "right_children", "split_indices", "split_conditions", "default_left"
        left, right, feature, *others = (np.array(tree[key], float) for key in keys)
        lengths = {int(tree["tree_param"]["num_nodes"]), *map(len, (left, right, feature, *others))}
        if len(lengths) > 1 or not _sound(left == -1, left, right, feature, features):
            raise ValueError(DAMAGED)


def _facts(lines: str) -> dict[str, str]:
    """Parse lines `key=value` of LightGBM, which must be few, printable ASCII, and have different keys."""
    pairs = [line.partition("=")[::2] for line in lines.split("\n")]
    printable = lines.isascii() and lines.replace("\n", "").isprintable()
    if not printable or "" in dict(pairs) or not len(dict(pairs)) == len(pairs) <= LIGHTGBM_LINES:
        raise ValueError(DAMAGED)
    return dict(pairs)


def _sound(leaf: NDArray[Any], left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], features: int) -> bool:
    """Return whether the inner nodes of a tree have existing children and features."""
    inner = np.flatnonzero(~leaf)
    # Children are numbered after their parents; any other order could be an endless loop.
    children = np.array([left[inner], right[inner]]).astype(np.int64)
    in_order = len(leaf) > 0 and (inner < children).all() and (children < len(leaf)).all()
    return bool(in_order and ((feature[inner] >= 0) & (feature[inner] < features)).all())
