"""Both phases on one split, or on one fold of it: trained, scored, recorded; the first fold's detectors are saved."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from common.detectors import store
from common.errors import UserError
from reproductions.facenet_embeddings import model, phase1, phase2
from reproductions.facenet_embeddings.config import (
    BACKBONE,
    BASE,
    LSTM,
    PROPOSED,
    XCEPTION,
    XCEPTION_EMBEDDER,
    Config,
)
from reproductions.facenet_embeddings.embeddings import Embedder, embed
from reproductions.facenet_embeddings.trials import missing_images, training_set, trial_epochs, trial_images
from reproductions.facenet_embeddings.vectors import vectors_by_split
from reproductions.session import Session
from reproductions.splitting import Split

log = logging.getLogger("deepfake")


def run_phase2(
    session: Session, config: Config, split: Split, fold: str, embedder: Embedder,
    embeddings: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Train the base network by triplets, then fit and score the classifiers (Sec. VIII to X).

    Args:
        session: the run.
        config: its config.
        split: a protocol and a seed.
        fold: a key of `split.parts`; empty without folds.
        embedder: what makes the embeddings.
        embeddings: float32 (n, 512), of all images of the run, by their index; None: they are computed here, of this
            part's images.
    """
    images = split.parts[fold]
    own = embed(images, embedder, config.embedding_batch) if embeddings is None else embeddings[images.index]
    vectors = vectors_by_split(images, own)
    result = phase2.train(vectors, config, session.weights.get(BASE), session.training(BASE, split, fold))
    _record_history(split, BASE, fold, result.history)
    parts = [part for part in ("val", "test") if len(vectors[part].labels)]
    scored = pd.concat([images[images["split"] == part] for part in parts])
    scores = [phase2.scores(result, vectors[part]) for part in parts]
    notes = embedder.notes + ([] if fold else result.notes)  # each fold has its own epoch
    for name in result.classifiers:
        session.record(split, name, scored, np.concatenate([part[name] for part in scores]), None, notes)
    if _is_first(split, fold):
        for detector in phase2.as_detectors(result, embedder):
            session.save(split, detector, images=images)


def run_phase1(
    session: Session, config: Config, split: Split, fold: str, imagenet: tuple[str, list[str]]
) -> dict[str, phase1.Phase1Model]:  # fmt: skip
    """Train and score the trials of phase I (Tables I and III), the LSTM last.

    Args:
        session: the run.
        config: its config.
        split: a protocol and a seed.
        fold: a key of `split.parts`; empty without folds.
        imagenet: (what Xception starts from without --weights, notes on that).

    Returns:
        {trial: what it gave}, without the LSTM.
    """
    roles, weights = session.data.roles, session.weights.get(BACKBONE)
    trained = {}
    for trial in [trial for trial in XCEPTION if trial in config.phase1]:
        images = trial_images(trial, split, fold, config, roles)
        if _is_possible(trial, session, split, images):
            training = session.training(trial, split, fold)
            trained[trial] = phase1.train_xception(trial, images, config, weights, imagenet, training)
            _record_phase1(split, trial, fold, trained[trial])
            if _is_first(split, fold):
                detector = phase1.as_detector(trial, trained[trial].network, config, training_set(trial, roles))
                session.save(split, detector, images=images)
    if LSTM in config.phase1:
        images = trial_images(LSTM, split, fold, config, roles)
        if _is_possible(LSTM, session, split, images):
            _run_lstm(session, split, fold, trained, images)
    return trained


def best_xception(trained: Mapping[str, phase1.Phase1Model], dataset: str, roles: Mapping[str, str]) -> str | None:
    """Return the trial with the best validation accuracy among those that were trained on given data.

    Accuracies of trials on other data do not compare: their validation images have another share of fakes.

    Args:
        trained: {trial: what it gave}.
        dataset: the data sets, as `training_set` names them.
        roles: {NAME of --data: name of the data set}.
    """
    candidates = [trial for trial in trained if training_set(trial, roles) == dataset]
    return max(candidates, key=lambda trial: trained[trial].validation_accuracy, default=None)


def xception_embedder(
    trained: Mapping[str, phase1.Phase1Model], embedder: Embedder, roles: Mapping[str, str]
) -> Embedder:  # fmt: skip
    """Return the embedder of Sec. X's first experiment: a split's best Xception without its last layer.

    Args:
        trained: {trial: what it gave}.
        embedder: of `find_embedder`; its size is Xception's.
        roles: {NAME of --data: name of the data set}.

    Raises:
        UserError: if no Xception was trained on this split.
    """
    if not trained:
        raise UserError(
            f"--embedder {XCEPTION_EMBEDDER}: no Xception was trained, expected data of both classes for one of "
            f"--phase1 {' '.join(XCEPTION)}"
        )
    best = best_xception(trained, training_set(PROPOSED, roles), roles) or next(iter(trained))
    return replace(embedder, trained=model.frame_embedder(trained[best].network))


def _run_lstm(session, split, fold, trained, images):
    """Train the LSTM on the best Xception of its own data; the paper does not say which."""
    roles = session.data.roles
    best = best_xception(trained, training_set(LSTM, roles), roles)
    if best is None:
        log.warning(
            "%s: skipped, it needs an Xception trained on %s: add one of %s to --phase1", LSTM,
            training_set(LSTM, roles), ", ".join(trial for trial in XCEPTION if _same_data(trial, LSTM, roles)),
        )  # fmt: skip
        return
    training = session.training(LSTM, split, fold)
    result = phase1.train_lstm(trained[best].network, images, session.config, training)
    result.notes.insert(0, f"on {best}")
    _record_phase1(split, LSTM, fold, result)
    if _is_first(split, fold):  # without a description: predict cannot score single images with it
        store.save_network(result.network, session.run.path("models", f"{LSTM}{split.suffix}.keras"))


def _is_possible(trial, session, split, images):
    """Return whether a trial can be trained, or scored with given weights; logs why not."""
    config = session.config
    if trial_epochs(trial, config):
        if missing := missing_images(images):
            names = training_set(trial, session.data.roles)
            log.warning("%s: skipped under protocol %s, %s has %s", trial, split.protocol, names, missing)
        return not missing
    if trial == LSTM:
        log.info("%s: skipped, it has no epochs and no --weights", LSTM)
        return False
    if not config.epochs and BACKBONE not in session.weights:
        log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", trial, BACKBONE)
        return False
    return True


def _record_phase1(split, trial, fold, result):
    Session.record(split, trial, result.images, result.scores, None, result.notes)
    _record_history(split, trial, fold, result.history)


def _record_history(split, name, fold, history):
    if history is not None:
        split.histories[name + (f", {fold}" if fold else "")] = history


def _same_data(one, other, roles):
    return training_set(one, roles) == training_set(other, roles)


def _is_first(split, fold):
    return fold == next(iter(split.parts))
