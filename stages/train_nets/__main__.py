"""Stage train-nets@NAME: train one neural net, save it, and predict with the saved file."""

import argparse

from stages.shared.process.run import run


def main() -> None:
    """Read the split; write the net, its history, predictions, facts and the weights to draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of a net in params.yaml")
    name = parser.parse_args().name

    from stages.shared.models.tensorflow_startup import start_tensorflow

    # pydantic looks for the source of a section in all imported modules, of which there are few before TensorFlow.
    from stages.shared.params import nets_section, training_section
    from stages.shared.params.yaml_file import plain, read
    from stages.shared.trials.changed_models import changed_models
    from stages.shared.trials.try_models import try_models

    content = read()
    net, shared = nets_section.load_one(name), training_section.load()
    start_tensorflow()
    import keras
    import numpy as np
    import tensorflow as tf

    from stages.shared.files import paths
    from stages.shared.files.datasets import load_classes, load_image_size, load_images, load_labels
    from stages.shared.files.keras_models import load_net, save_net
    from stages.shared.files.predictions import Predictions, save_facts, save_predictions
    from stages.shared.files.tables import save_history
    from stages.shared.files.text_files import save_text
    from stages.shared.files.weights import save_weights
    from stages.shared.models.build_net import make_optimizer
    from stages.shared.models.drawable_weights import net_weights
    from stages.shared.models.fourier_conv2d import plain as plain_net
    from stages.shared.models.memory_estimate import build_within_memory
    from stages.shared.process import console
    from stages.train_nets.training import best_epoch, probabilities, steps, summary, train

    tf.config.threading.set_intra_op_parallelism_threads(shared.threads if net.threads is None else net.threads)

    if changed_models(plain(content)).left == name:
        try_models(content, [name])
        keras.utils.clear_session()  # names of variables are numbered, and saved

    labels, classes = load_labels("train"), len(load_classes())
    height, width = load_image_size()
    keras.utils.set_random_seed(shared.seed if net.seed is None else net.seed)
    # check-models may have run on another machine, or with more memory free.
    model = build_within_memory(name, net, rows=len(labels), height=height, width=width, classes=classes)
    images = load_images("train")
    validation = load_images("validation"), load_labels("validation")
    validated = len(validation[1]) > 0
    save_text(paths.SUMMARIES.path(name), summary(plain_net(model)))
    patience = net.early_stopping.patience if net.early_stopping and validated else None
    if net.early_stopping and not validated:
        console.say(f"{name}: no validation set, so no early stopping")
    console.say(f"{name}: training {model.count_params():,} parameters on {len(labels):,} rows")
    total_steps = net.epochs * steps(len(labels), net.batch_size)
    history = train(
        model,
        make_optimizer(net.optimizer, total_steps, ("nets", name, "optimizer")),
        images,
        labels,
        validation if validated else None,
        epochs=net.epochs,
        batch_size=net.batch_size,
        patience=patience,
        name=name,
    )
    save_history(name, history)
    save_net(name, plain_net(model))

    # Copies, to free the memory of the other rows.
    head = slice(shared.train_accuracy_rows)
    images, labels = images[head].copy(), labels[head].copy()
    saved = load_net(name)  # the file is evaluated, not the net in memory
    save_weights(name, net_weights(saved, height, width))
    train_codes = probabilities(saved, images).argmax(axis=1)
    scores = [probabilities(saved, rows) for rows in (validation[0], load_images("test"))]
    save_predictions(name, *(Predictions(rows.argmax(axis=1), rows, "probability") for rows in scores))
    facts = {
        "parameters": saved.count_params(),
        "train_accuracy": float(np.mean(train_codes == labels)),
        "train_rows_judged": len(train_codes),
        "epochs": len(history),
        "best_epoch": best_epoch(history, patience),
    }
    save_facts(name, facts)
    reason = "" if patience is None else ", with the lowest validation loss"
    console.say(
        f"{name}: kept the weights of epoch {facts['best_epoch']} of {len(history)} trained{reason}; "
        f"training accuracy {facts['train_accuracy']:.5f}"
    )


if __name__ == "__main__":
    run("train-nets", main, timed=True)
