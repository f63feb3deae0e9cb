"""Mistakes in the default params.yaml and what is said of each: the check's and the editors' schema's cases."""

from typing import NamedTuple

NAMES = "write letters, digits, hyphens and underscores, at least one of them no digit, and no hyphen in front"
NET_KEYS = "batch_size, early_stopping, epochs, layers, optimizer, precision, seed, threads"
MODELS = "best, cnn-15x15, deep-cnn, fast, knn, linear-svc, mlp-128-64, mlp-48, sgd, softmax, svc-rbf"
SECTIONS = "baselines, fetch, nets, pictures, split, training"

# What no JSON Schema can tell, and why.
NUMBER = "to JSON Schema 3.0 is an integer"
NAN = "JSON has no such number, and every comparison with it is false"
TWICE = "a reader of JSON keeps the last of two equal keys"
TEXT = "in JSON every key is text"
REFERENCE = "a name that stands elsewhere in the file"
LIBRARY = "scikit-learn's or Keras's own code, or the data, tell"


class Mistake(NamedTuple):
    """An edit of the default file that must be refused.

    Attributes
    ----------
    old, new : str
        What is replaced, once, and by what.
    said : str
        The sentence after the line's number; its beginning, where it ends in "...".
    marker : str
        Stands on the line that is named, and on none before it; the last line of `new`, if empty.
    beyond_schema : str
        Why a JSON Schema does not tell; empty where it does.
    """

    old: str
    new: str
    said: str
    marker: str = ""
    beyond_schema: str = ""

    def line(self, text: str) -> int:
        """Return the number of the line of the edited text that is to be named."""
        marker = self.marker or self.new.splitlines()[-1]
        return line_with(text, marker)

    def __str__(self) -> str:
        return (self.new.strip() or self.old.strip()).splitlines()[-1].strip()


def line_with(text: str, marker: str) -> int:
    """Return the number of the first line that holds the marker."""
    return next(number for number, line in enumerate(text.splitlines(), start=1) if marker in line)


# One value

INTEGERS = [
    Mistake("epochs: 30", 'epochs: "3"  # softmax', "nets.softmax.epochs: is '3': must be a valid integer"),
    Mistake("epochs: 30", "epochs: 3.5  # softmax", "nets.softmax.epochs: is 3.5: must be a valid integer"),
    Mistake(
        "epochs: 30",
        "epochs: 3.0  # softmax",
        "nets.softmax.epochs: is 3.0: must be a valid integer",
        beyond_schema=NUMBER,
    ),
    Mistake("epochs: 30", "epochs: off  # softmax", "nets.softmax.epochs: is 'off': must be a valid integer"),
    Mistake("epochs: 30", "epochs: true  # softmax", "nets.softmax.epochs: is true: must be a valid integer"),
    Mistake("epochs: 30", "epochs: null  # softmax", "nets.softmax.epochs: is null: must be a valid integer"),
    Mistake("epochs: 30", "epochs:   # softmax", "nets.softmax.epochs: is null: must be a valid integer"),
    Mistake("epochs: 30", "epochs: [3]  # softmax", "nets.softmax.epochs: is a list: must be a valid integer"),
    Mistake("epochs: 30", "epochs: {a: 3}  # softmax", "nets.softmax.epochs: is a mapping: must be a valid integer"),
    Mistake(
        "epochs: 30",
        "epochs: .nan  # softmax",
        "nets.softmax.epochs: is not a number (.nan): must be a valid integer",
    ),
    Mistake("epochs: 30", "epochs: 1e-3  # softmax", "nets.softmax.epochs: is 0.001: must be a valid integer"),
    Mistake("epochs: 30", "epochs: .inf  # softmax", "nets.softmax.epochs: is inf: must be a valid integer"),
    Mistake(
        "epochs: 30", "epochs: 2026-01-01  # softmax", "nets.softmax.epochs: is '2026-01-01': must be a valid integer"
    ),
]

SHARES = "must be a share above 0 and below 1, or 'official'"

VALUES = [
    Mistake("epochs: 30", "epochs: 0", "nets.softmax.epochs: is 0: must be greater than or equal to 1"),
    Mistake(
        "epochs: 30", "epochs: 30\n    threads: -1", "nets.softmax.threads: is -1: must be greater than or equal to 0"
    ),
    Mistake(
        "epochs: 30",
        "epochs: 30\n    precision: float16",
        "nets.softmax.precision: is 'float16': must be 'float32' or 'mixed_bfloat16'",
    ),
    Mistake("epochs: 30", "epochs: -1", "nets.softmax.epochs: is -1: must be greater than or equal to 1"),
    Mistake("batch_size: 512", "batch_size: 0", "nets.softmax.batch_size: is 0: must be greater than or equal to 1"),
    Mistake(
        "batch_size: 512",
        "batch_size: 512\n    seed: -1",
        "nets.softmax.seed: is -1: must be greater than or equal to 0",
    ),
    Mistake("test: 0.2", "test: 1", f"split.test: is 1: {SHARES}"),
    Mistake("test: 0.2", "test: 1.0", f"split.test: is 1.0: {SHARES}"),
    Mistake("test: 0.2", "test: 0.0", f"split.test: is 0.0: {SHARES}"),
    Mistake("test: 0.2", "test: oficial", f"split.test: is 'oficial': {SHARES}"),
    Mistake("test: 0.2", "test: .nan", f"split.test: is not a number (.nan): {SHARES}", beyond_schema=NAN),
    Mistake("test: 0.2", "test: null", f"split.test: is null: {SHARES}"),
    Mistake("validation: 0.1", "validation: 1.0", "split.validation: is 1.0: must be less than 1"),
    Mistake("validation: 0.1", "validation: -0.1", "split.validation: is -0.1: must be greater than or equal to 0"),
    Mistake("validation: 0.1", "validation: '0.1'", "split.validation: is '0.1': must be a valid number"),
    Mistake(
        "validation: 0.1",
        "validation: .nan",
        "split.validation: is not a number (.nan): must be a finite number",
        beyond_schema=NAN,
    ),
    Mistake("rows: null", "rows: 9", "split.rows: is 9: must be greater than or equal to 10"),
    Mistake(
        "random_state: 42",
        "random_state: 4294967296",
        "split.random_state: is 4294967296: must be less than 4294967296",
    ),
    Mistake("class_names: null", "class_names: [a]", "split.class_names: is a list: must have at least 2 items, not 1"),
    Mistake("class_names: null", "class_names: [a, 1]", "split.class_names.1: is 1: must be a valid string"),
    Mistake("class_names: null", "class_names: a", "split.class_names: is 'a': must be a valid list"),
    Mistake("seed: 42", "seed: -1", "training.seed: is -1: must be greater than or equal to 0"),
    Mistake("threads: 0", "threads: -1", "training.threads: is -1: must be greater than or equal to 0"),
    Mistake(
        "train_accuracy_rows: 10000",
        "train_accuracy_rows: 0",
        "training.train_accuracy_rows: is 0: must be greater than or equal to 1",
    ),
    Mistake("source: data/mnist", "source: ''", "fetch.source: is '': must have at least 1 character"),
    Mistake("version: 1", "version: 0", "fetch.openml.version: is 0: must be greater than or equal to 1"),
    Mistake(
        "early_stopping: {patience: 10}",
        "early_stopping: {patience: 0}",
        "nets.softmax.early_stopping.patience: is 0: must be greater than or equal to 1",
    ),
    Mistake(
        "early_stopping: {patience: 10}",
        "early_stopping: 5",
        "nets.softmax.early_stopping: is 5: must be a mapping of settings",
    ),
    Mistake(
        "optimizer: {class: Adam}",
        "optimizer: adam",
        "nets.softmax.optimizer: is 'adam': must be a mapping of settings",
    ),
    Mistake(
        "hidden1: {class: Dense, units: 128, activation: sigmoid}",
        "hidden1: Dense",
        "nets.mlp-128-64.layers.hidden1: is 'Dense': must be a mapping of settings",
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: 3",
        "nets.mlp-128-64.layers.hidden1.class: is 3: must be a valid string",
    ),
    Mistake(
        "hidden: {columns: 8",
        "hidden: {rows: 101, columns: 8",
        "pictures.weights.mlp-48.hidden.rows: is 101: must be less than or equal to 100",
    ),
    Mistake(
        "columns: 8, range: 1.5",
        "columns: 8, range: 0",
        "pictures.weights.mlp-48.hidden.range: is 0: must be greater than 0",
    ),
]

KEYS = [
    Mistake(
        "epochs: 30",
        "epoch: 30",
        f"nets.softmax: unknown key 'epoch'; did you mean 'epochs'? allowed: {NET_KEYS}",
        "epoch: 30",
    ),
    Mistake(
        "epochs: 30",
        "epochs: 30\n    dropout: 0.5",
        f"nets.softmax: unknown key 'dropout'; allowed: {NET_KEYS}",
        "dropout",
    ),
    Mistake(
        "{patience: 10}",
        "{patiense: 5}",
        "nets.softmax.early_stopping: unknown key 'patiense'; did you mean 'patience'? allowed: patience",
        "patiense",
    ),
    Mistake(
        "threads: 0",
        "threads: 0\n  1: 2",
        "training: unknown key '1'; allowed: seed, threads, train_accuracy_rows",
        "  1: 2",
    ),
    Mistake(
        "name: mnist_784\n",
        "nam: mnist_784\n",
        "fetch.openml: unknown key 'nam'; did you mean 'name'? allowed: data_id, name, server, train_rows, version",
        "nam: mnist_784",
    ),
    Mistake(
        "hidden: {columns: 8",
        "hidden: {colums: 8",
        "pictures.weights.mlp-48.hidden: unknown key 'colums'; did you mean 'columns'? allowed: columns, range, rows",
        "colums",
    ),
    Mistake(
        "hidden: {columns: 8",
        "hidden: {rows: 6",
        "pictures.weights.mlp-48.hidden: 'rows' goes with 'columns': give both, 'columns' alone or neither",
        "{rows: 6,",
    ),
    # A character that begins a new line.
    Mistake(
        "epochs: 30",
        'epochs: 30\n    "new\\Nline": 1',
        f"nets.softmax: unknown key 'new\\x85line'; allowed: {NET_KEYS}",
    ),
    Mistake(
        "epochs: 30",
        'epochs: "new\\Nline"',
        "nets.softmax.epochs: is 'new\\x85line': must be a valid integer",
    ),
    Mistake("    epochs: 30\n", "", "nets.softmax: 'epochs' is missing", "  softmax:"),
    Mistake("{class: Flatten}", "{}", "nets.softmax.layers.flatten: 'class' is missing", "flatten: {}"),
    Mistake("class: LinearSVC", "clas: LinearSVC", "baselines.linear-svc: 'class' is missing", "  linear-svc:"),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {4: 5, class: Dense",
        "nets.mlp-128-64.layers.hidden1: the key 4 is no text; keys must be text",
        "4: 5",
    ),
    Mistake(
        "    mlp-48:\n      hidden:",
        "    48:\n      hidden:",
        "pictures.weights: the key 48 is no text; keys must be text",
        "    48:",
        TEXT,
    ),
]

MODEL_NAMES = [
    Mistake("  sgd:", "  sg.d:", f"baselines: the name 'sg.d' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  my sgd:", f"baselines: the name 'my sgd' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  a/b:", f"baselines: the name 'a/b' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  é:", f"baselines: the name 'é' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  '':", f"baselines: the name '' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  3:", f"baselines: the name 3 of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  '3':", f"baselines: the name '3' of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  1.5:", f"baselines: the name 1.5 of a baseline cannot be used; {NAMES}"),
    Mistake("  sgd:", "  true:", f"baselines: the name true of a baseline cannot be used; {NAMES}", beyond_schema=TEXT),
    Mistake("  sgd:", "  null:", f"baselines: the name null of a baseline cannot be used; {NAMES}", beyond_schema=TEXT),
    Mistake("  sgd:", "  '-x':", f"baselines: the name '-x' of a baseline cannot be used; {NAMES}"),
]

INPUTS = [
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: flaten",
        "nets.mlp-128-64.layers.hidden1: takes its input from 'flaten', which is no earlier layer; "
        "earlier are image, flatten",
        "inputs: flaten",
        beyond_schema=REFERENCE,
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: [flatten, hidden2]",
        "nets.mlp-128-64.layers.hidden1: takes its input from 'hidden2', which is no earlier layer; "
        "earlier are image, flatten",
        "inputs: [flatten, hidden2]",
        beyond_schema=REFERENCE,
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: hidden1",
        "nets.mlp-128-64.layers.hidden1: takes its input from 'hidden1', which is no earlier layer; "
        "earlier are image, flatten",
        "inputs: hidden1",
        beyond_schema=REFERENCE,
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: []",
        "nets.mlp-128-64.layers.hidden1: the list of inputs is empty; leave it out for the layer before",
        "inputs: []",
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: 3",
        "nets.mlp-128-64.layers.hidden1.inputs: is 3: must be the name of a layer or a list of names",
        "inputs: 3",
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: [flatten, 3]",
        "nets.mlp-128-64.layers.hidden1.inputs: is a list: must be the name of a layer or a list of names",
        "inputs: [flatten, 3]",
    ),
    Mistake(
        "hidden1: {class: Dense",
        "hidden1: {class: Dense, inputs: {a: b}",
        "nets.mlp-128-64.layers.hidden1.inputs: must be the name of a layer or a list of names",
        "inputs: {a: b}",
    ),
]

OTHERS = [
    Mistake(
        "epochs: 30",
        "epochs: 30\n    epochs: 31",
        "'epochs' stands twice in one mapping; keep one of them",
        beyond_schema=TWICE,
    ),
    Mistake("  svc-rbf:", "  knn: # again", "'knn' stands twice in one mapping; keep one of them", "", TWICE),
    Mistake("  softmax:", "  soft.max:", f"nets: the name 'soft.max' of a net cannot be used; {NAMES}"),
    Mistake(
        "  softmax:", "  knn:  #", "nets.knn: a baseline has this name too; each model needs its own", "", REFERENCE
    ),
    Mistake(
        "hidden1: {",
        "1: {",
        f"nets.mlp-128-64.layers: the name 1 of a layer cannot be used; {NAMES}",
        "1: {class: Dense, units: 128",
    ),
    Mistake(
        "hidden1: {", "image: {", "nets.mlp-128-64.layers: no layer can be named 'image': that is the input's name"
    ),
    Mistake(
        "    version: 1\n",
        "",
        "fetch.openml: 'version' is missing beside 'name'; without it a later upload would change the data",
        "  openml:",
    ),
    Mistake(
        "    version: 1\n",
        "    version: 1\n    data_id: 554\n",
        "fetch.openml: name one data set: either 'name' with 'version', or 'data_id'",
        "  openml:",
    ),
    Mistake(
        "    name: mnist_784\n    version: 1\n",
        "",
        "fetch.openml: name one data set: either 'name' with 'version', or 'data_id'",
        "  openml:",
    ),
    Mistake("\nsplit:\n", "\n7: 1\n\nsplit:\n", f"the file: unknown section '7'; allowed: {SECTIONS}", "7: 1"),
    Mistake(
        "    sgd:\n      coefficients",
        "    sgdd:\n      coefficients",
        f"pictures.weights: unknown model 'sgdd'; did you mean 'sgd'? allowed: {MODELS}",
        "sgdd:",
        REFERENCE,
    ),
    Mistake(
        "coefficients: {",
        "kernel: {",
        "pictures.weights.sgd: unknown layer 'kernel'; allowed: coefficients",
        beyond_schema=REFERENCE,
    ),
    Mistake(
        "hidden: {columns",
        "hiden: {columns",
        "pictures.weights.mlp-48: unknown layer 'hiden'; did you mean 'hidden'? allowed: flatten, hidden, output",
        beyond_schema=REFERENCE,
    ),
]

STRUCTURE = [*INTEGERS, *VALUES, *KEYS, *MODEL_NAMES, *INPUTS, *OTHERS]

# Classes and their settings

DENSE = "hidden1: {class: Dense, units: 128, activation: sigmoid}"

CLASSES = [
    Mistake(
        "class: LinearSVC",
        "class: LinearSVD",
        "baselines.linear-svc.class: unknown scikit-learn classifier 'LinearSVD'; did you mean 'LinearSVC'?",
    ),
    Mistake("class: SVC", "class: SVR", "baselines.svc-rbf.class: unknown scikit-learn classifier 'SVR'; did you ..."),
    Mistake(
        "n_neighbors: 10",
        "n_neighbours: 10",
        "baselines.knn: unknown setting of KNeighborsClassifier: 'n_neighbours'; did you mean 'n_neighbors'? allowed: "
        "algorithm, leaf_size, metric, metric_params, n_neighbors, p, weights",
    ),
    Mistake(
        "n_neighbors: 10",
        "n_neighbors: 0",
        "baselines.knn.n_neighbors: is 0: must be an int in the range [1, inf) or None",
    ),
    Mistake(
        "n_neighbors: 10",
        "n_neighbors: ten",
        "baselines.knn.n_neighbors: is 'ten': must be an int in the range [1, inf) or None",
    ),
    Mistake(
        "C: 1.0",
        "C: .nan",
        "baselines.linear-svc.C: is not a number (.nan): must be a float in the range (0.0, inf)",
        "",
        NAN,
    ),
    Mistake("C: 5.0", "C: -5.0", "baselines.svc-rbf.C: is -5.0: must be a float in the range (0.0, inf]"),
    Mistake("C: 5.0", 'C: "5"', "baselines.svc-rbf.C: is '5': must be a float in the range (0.0, inf]"),
    Mistake(
        "class: SGDClassifier",
        "class: SGDClassifier\n    n_jobs: 2",
        "baselines.sgd.n_jobs: leave it out; training.threads sets how many cores are used",
    ),
    Mistake(
        "optimizer: {class: Adam}",
        "optimizer: {class: Adm}",
        "nets.softmax.optimizer.class: unknown Keras optimiser 'Adm'; did you mean 'Adam'?",
    ),
    Mistake(
        "optimizer: {class: Adam}",
        "optimizer: {class: Adam, learning_rate: -0.1}",
        "nets.softmax.optimizer.learning_rate: is -0.1: must be a number greater than 0",
    ),
    Mistake(
        "optimizer: {class: Adam}",
        "optimizer: {class: Adam, momentum: 0.9}",
        "nets.softmax.optimizer: unknown setting of Adam: 'momentum'; ...",
    ),
    Mistake(
        "learning_rate: {class: CosineDecay, initial_learning_rate: 0.01",
        "learning_rate: {class: CosineDecay, initial_rate: 0.01",
        "nets.fast.optimizer.learning_rate: unknown setting of CosineDecay: 'initial_rate'; did you mean "
        "'initial_learning_rate'? allowed: alpha, decay_steps, initial_learning_rate, warmup_steps, warmup_target",
    ),
    Mistake(
        "{class: Flatten}",
        "{class: Flaten}",
        "nets.softmax.layers.flatten.class: unknown Keras layer 'Flaten'; did you mean 'Flatten'?",
    ),
    Mistake(
        "{class: Flatten}",
        "{class: Lambda}",
        "nets.softmax.layers.flatten.class: 'Lambda' cannot be used: it would run foreign code",
    ),
    Mistake(
        DENSE,
        "hidden1: {class: Dense, unit: 128}",
        "nets.mlp-128-64.layers.hidden1: unknown setting of Dense: 'unit'; did you mean 'units'?...",
    ),
    Mistake(DENSE, "hidden1: {class: Dense}", "nets.mlp-128-64.layers.hidden1: Dense refuses its settings: ..."),
    Mistake(
        DENSE,
        "hidden1: {class: Dense, units: 12.8}",
        "nets.mlp-128-64.layers.hidden1.units: is 12.8: Dense refuses it: Received an invalid value for `units`, "
        "expected a positive integer. Received: units=12.8",
    ),
    Mistake(
        DENSE,
        "hidden1:\n        class: Dense\n        units: 128\n        activation: sigmoyd",
        "nets.mlp-128-64.layers.hidden1.activation: unknown Keras activation 'sigmoyd'; did you mean 'sigmoid'?",
    ),
    Mistake(
        DENSE,
        "hidden1: {class: Dense, units: 128, kernel_regularizer: L3}",
        "nets.mlp-128-64.layers.hidden1.kernel_regularizer: unknown Keras regularizer 'L3'; allowed: L1, L1L2, L2, "
        "OrthogonalRegularizer, l1, l1_l2, l2, orthogonal_regularizer",
    ),
    Mistake(
        "kernel_regularizer: {class: L1, l1: 1.0e-6}",
        "kernel_regularizer: {class: Lasso}",
        "nets.softmax.layers.output.kernel_regularizer.class: unknown Keras regularizer 'Lasso'; allowed: L1, L1L2, "
        "L2, OrthogonalRegularizer, l1, l1_l2, l2, orthogonal_regularizer",
    ),
    Mistake(
        "kernel_regularizer: {class: L1, l1: 1.0e-6}",
        "kernel_regularizer: {class: L1, l2: 1.0e-6}",
        "nets.softmax.layers.output.kernel_regularizer: unknown setting of L1: 'l2'; allowed: l1",
    ),
    Mistake(
        "filters1: {class: Conv2D, filters: 32",
        "filters1: {class: Conv2D, filters: -32",
        "nets.deep-cnn.layers.filters1.filters: is -32: Conv2D refuses it: Invalid value for argument `filters`. "
        "Expected a strictly positive value. Received filters=-32.",
    ),
    Mistake(
        "pool_size: [4, 4]",
        "pool_size: [4, 0]",
        "nets.deep-cnn.layers.pooling.pool_size: is a list: MaxPooling2D refuses it: ...",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "hidden1: {class: Dense, units: 128",
        "hidden1: {class: Dense, method: fourier, units: 128",
        "nets.mlp-128-64.layers.hidden1.method: is 'fourier': only a Conv2D takes it, and only 'fourier'",
    ),
]

# What the data tell, here images of 28 x 28 pixels in 10 classes

DATA = [
    Mistake(
        "filters2: {class: Conv2D, filters: 64, kernel_size: [9, 9]",
        "filters2: {class: Conv2D, filters: 64, kernel_size: [9, 25]",
        "nets.deep-cnn.layers.filters2: Conv2D does not fit what comes in, (None, 24, 24, 32): its kernel_size covers "
        "9 x 25, and 24 x 24 is left of the image; it must be no larger",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "output: {class: Dense, units: classes, activation: softmax, kernel_initializer: zeros",
        "output: {class: Dense, units: 9, activation: softmax, kernel_initializer: zeros",
        "nets.softmax.layers.output: the last layer gives (None, 9); it must give one number a class, (None, 10): "
        "write 'units: classes'",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "output: {class: Dense, units: classes, activation: softmax, kernel_initializer: zeros",
        "output: {class: Dense, units: classes, activation: relu, kernel_initializer: zeros",
        "nets.softmax.layers.output: the last layer must give probabilities, which add up to 1: write "
        "'activation: softmax'",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "coefficients: {columns: 5",
        "coefficients: {columns: 3, rows: 3",
        "pictures.weights.sgd.coefficients: a grid of 3 x 3 has 9 cells, and there are 10 maps; leave 'rows' out, and "
        "there are as many as are needed",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "hidden: {columns: 8",
        "output: {columns: 8",
        "pictures.weights.mlp-48.output: its weights are drawn as one matrix, not as maps of pixels; leave out all but "
        "'range'",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "    sgd:\n      coefficients: {",
        "    knn:\n      coefficients: {",
        "pictures.weights.knn.coefficients: there are no weights to draw here; of knn are drawn: none",
        beyond_schema=LIBRARY,
    ),
    Mistake(
        "n_neighbors: 10",
        "algorithm: kd_tree",
        "baselines.knn: cannot be saved: it holds sklearn.metrics._dist_metrics.ManhattanDistance64, "
        "sklearn.neighbors._kd_tree.KDTree, ...",
        "  knn:",
        LIBRARY,
    ),
]
