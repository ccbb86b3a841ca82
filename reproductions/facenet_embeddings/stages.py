"""Both phases under one protocol and one seed: what is trained, scored, saved and drawn."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from common.detectors import store as detectors
from common.evaluation.predictions import prediction_table
from reproductions.experiment import Outcome
from reproductions.facenet_embeddings import figures, phase1, phase2
from reproductions.facenet_embeddings.config import BASE, FIRST, LSTM, TRIALS, XCEPTION, Config

log = logging.getLogger("deepfake")


@dataclass(frozen=True)
class Setting:
    """What both phases work with, whatever the protocol and the seed."""

    config: Config
    run: object  # common.runs.folder.Run
    strategy: object  # tf.distribute.Strategy
    weights: dict  # {network: file to start from}
    imagenet: tuple  # what Xception starts from, and notes on that
    embedder: object  # embeddings.Embedder
    embeddings: pd.Series  # of all images, by their index
    roles: dict  # {NAME of --data: data set}
    faces: dict  # how those of the images were found

    def dataset_of(self, model):
        """The data sets that a model is trained on, as the rows name them."""
        alone = model in TRIALS and not TRIALS[model].both and FIRST in self.roles
        return self.roles[FIRST] if alone else "+".join(self.roles.values())


def both_phases(setting, protocol, seed, parts, first):
    """Train and score everything on every part; save the detectors of the first. Returns the Outcome.

    first: whether this is the run's first protocol and seed: its files have no suffix, and Figures 7 and 8 are of it.
    """
    images = pd.concat([part.images.assign(case=part.name) if part.name else part.images for part in parts])
    outcome = Outcome(protocol, seed, images)
    suffix = "" if first else f"-{protocol}-seed{seed}"
    # a given network is cheap to score, and may be the only one
    phase1_too = first or setting.config.phase1_protocols == "all" or setting.config.epochs == 0
    for place, part in enumerate(parts):
        _phase2(setting, outcome, part, suffix, place == 0, first)
        if phase1_too:
            _phase1(setting, outcome, part, suffix, place == 0)
    outcome.predictions[:] = _pooled(outcome.predictions)
    if first:
        figures.draw_phase1(outcome.histories, setting.run)
    figures.draw_roc(pd.concat(outcome.predictions), protocol, setting.run, suffix)
    return outcome


def settings_used(model, outcome, setting):
    """The settings of a training as the paper tabulates them, {metric: number}."""
    config = setting.config
    if model not in TRIALS:
        return {"learning_rate": config.learning_rate, "epochs": config.epochs, "batch_size": config.batch_size}
    epochs, most = phase1.settings(model, config)
    part = outcome.images
    if "case" in part:
        part = part[part["case"] == part["case"].iloc[0]]
    kept = phase1.thinned(_of(part, setting.dataset_of(model)), most)
    return {
        "learning_rate": TRIALS[model].learning_rate,
        "epochs": epochs,
        "batch_size": config.phase1_batch_size,
        "frames": int((kept["split"] != "test").sum()),
    }


def _phase2(setting, outcome, part, suffix, saved, drawn):
    config, seed = setting.config, outcome.seed
    if not config.epochs and BASE not in setting.weights:
        log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", BASE, BASE)
        return
    vectors = phase2.vectors_of(part.images, np.stack(setting.embeddings[part.images.index]))
    state = _state(setting, outcome, BASE, part)
    trained = phase2.train(vectors, config, setting.strategy, setting.weights.get(BASE), state, seed)
    _keep(outcome, BASE, part, trained.history)
    scores = {split: phase2.scores(trained, vectors[split]) for split in ("val", "test")}
    for name in trained.classifiers:
        outcome.notes[name] = [*setting.embedder.notes, *([] if part.name else trained.notes)]  # each fold has its own
        for split in ("val", "test"):
            table = part.images[part.images["split"] == split]
            table = prediction_table(table, scores[split][name], name, outcome.protocol, seed)
            outcome.predictions.append(table)
    if saved:
        for detector in phase2.saved_detectors(trained, setting.embedder, config, setting.faces, suffix):
            detectors.save(detector, setting.run.folder / "models")
        if drawn:
            figures.draw_embeddings(vectors, trained, setting.embedder.name, outcome.protocol, setting.run, seed)


def _phase1(setting, outcome, part, suffix, saved):
    """The trainings of --phase1. The LSTM stands on the Xception with the best validation accuracy."""
    config, best = setting.config, None
    for name in [name for name in XCEPTION if name in config.phase1]:
        if not config.epochs and "xception" not in setting.weights:
            log.info("%s: skipped, --epochs 0 and no --weights xception=FILE", name)
            continue
        _, frames = phase1.settings(name, config)
        images = phase1.thinned(_of(part.images, setting.dataset_of(name)), frames)
        state = _state(setting, outcome, name, part)
        start = setting.weights.get("xception")
        trained = phase1.train_xception(
            name, images, config, setting.strategy, start, setting.imagenet, state, outcome.seed
        )
        _add_phase1(outcome, name, part, trained)
        if saved:
            detector = phase1.as_detector(name, trained, config, setting.faces)
            description = replace(detector.description, name=name + suffix, network=f"{name}{suffix}.keras")
            detectors.save(replace(detector, description=description), setting.run.folder / "models")
        accuracy = 0 if trained.history is None else trained.history["val_accuracy"].max()
        if best is None or accuracy > best[0]:
            best = accuracy, name, trained.network
    if LSTM not in config.phase1 or not config.epochs:
        return
    if best is None:
        log.warning("%s: skipped, it needs an Xception: add one of %s to --phase1", LSTM, ", ".join(XCEPTION))
        return
    _, frames = phase1.settings(LSTM, config)
    images = phase1.thinned(_of(part.images, setting.dataset_of(LSTM)), frames)
    state = _state(setting, outcome, LSTM, part)
    trained = phase1.train_lstm(best[2], images, config, setting.strategy, state, outcome.seed)
    trained.notes.insert(0, f"on {best[1]}")
    _add_phase1(outcome, LSTM, part, trained)
    if saved:
        trained.network.save(setting.run.path("models", f"{LSTM}{suffix}.keras"), include_optimizer=False)


def _add_phase1(outcome, name, part, trained):
    _keep(outcome, name, part, trained.history)
    outcome.notes[name] = trained.notes
    outcome.predictions.append(
        prediction_table(trained.images, trained.probabilities, name, outcome.protocol, outcome.seed)
    )


def _of(images, dataset):
    return images[images["dataset"].isin(dataset.split("+"))]


def _state(setting, outcome, name, part):
    folder = f"{name}-{outcome.protocol}-seed{outcome.seed}" + (f"-{part.name.replace(' ', '')}" if part.name else "")
    return setting.run.path("checkpoints", folder)


def _keep(outcome, name, part, history):
    if history is not None:
        outcome.histories[name + (f", {part.name}" if part.name else "")] = history


def _pooled(tables):
    """The tables of each model and split as one: those of the folds together."""
    together = pd.concat(tables)
    return [table for _, table in together.groupby("model", sort=False)]
