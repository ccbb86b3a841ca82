"""Both phases on one split, or on one fold of it: trained, scored, recorded; the first fold's detectors are saved."""

import logging

import numpy as np
import pandas as pd

from common.detectors import store
from reproductions.facenet_embeddings import phase1, phase2
from reproductions.facenet_embeddings.config import BACKBONE, BASE, LSTM, XCEPTION, Config
from reproductions.facenet_embeddings.embeddings import Embedder
from reproductions.facenet_embeddings.trials import missing_images, training_set, trial_epochs, trial_images
from reproductions.facenet_embeddings.vectors import vectors_by_split
from reproductions.session import Session
from reproductions.splitting import Split

log = logging.getLogger("deepfake")


def run_phase2(
    session: Session, config: Config, split: Split, fold: str, embedder: Embedder, embeddings: np.ndarray
) -> None:  # fmt: skip
    """Train the base network by triplets, then fit and score the classifiers (Sec. VIII to X).

    Args:
        session: the run.
        config: its config.
        split: a protocol and a seed.
        fold: a key of `split.parts`; empty without folds.
        embedder: what made the embeddings.
        embeddings: float32 (n, 512), of all images, by their index.
    """
    images = split.parts[fold]
    vectors = vectors_by_split(images, embeddings[images.index])
    result = phase2.train(vectors, config, session.weights.get(BASE), session.training(BASE, split, fold))
    _record_history(split, BASE, fold, result.history)
    parts = [part for part in ("val", "test") if len(vectors[part].labels)]
    scored = pd.concat([images[images["split"] == part] for part in parts])
    scores = [phase2.scores(result, vectors[part]) for part in parts]
    notes = embedder.notes + ([] if fold else result.notes)  # each fold has its own epoch
    for name in result.classifiers:
        session.record(split, name, scored, np.concatenate([part[name] for part in scores]), None, notes)
    if _is_first(split, fold):
        for detector in phase2.as_detectors(result, embedder.network, config):
            session.save(split, detector)


def run_phase1(
    session: Session, config: Config, split: Split, fold: str, imagenet: tuple[str, list[str]]
) -> None:  # fmt: skip
    """Train and score the trials of phase I (Tables I and III), the LSTM last.

    Args:
        session: the run.
        config: its config.
        split: a protocol and a seed.
        fold: a key of `split.parts`; empty without folds.
        imagenet: (what Xception starts from without --weights, notes on that).
    """
    roles, weights = session.data.roles, session.weights.get(BACKBONE)
    trained = {}
    for trial in [trial for trial in XCEPTION if trial in config.phase1]:
        images = trial_images(trial, split.parts[fold], config, roles)
        if _is_possible(trial, session, split, images):
            training = session.training(trial, split, fold)
            trained[trial] = phase1.train_xception(trial, images, config, weights, imagenet, training)
            _record_phase1(split, trial, fold, trained[trial])
            if _is_first(split, fold):
                detector = phase1.as_detector(trial, trained[trial].network, config, training_set(trial, roles))
                session.save(split, detector)
    if LSTM in config.phase1:
        images = trial_images(LSTM, split.parts[fold], config, roles)
        if _is_possible(LSTM, session, split, images):
            _run_lstm(session, split, fold, trained, images)


def _run_lstm(session, split, fold, trained, images):
    """Train the LSTM on the Xception with the best validation accuracy; the paper does not say which."""
    if not trained:
        log.warning("%s: skipped, it needs an Xception: add one of %s to --phase1", LSTM, ", ".join(XCEPTION))
        return
    best = max(trained, key=lambda trial: trained[trial].validation_accuracy)
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


def _is_first(split, fold):
    return fold == next(iter(split.parts))
