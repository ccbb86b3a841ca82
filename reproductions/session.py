"""One run of one paper: everything that every run.py does around its method. A paper calls it; it calls no paper."""

import logging
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from common.conditions import is_synthetic
from common.data import pixel_store
from common.data.pipeline import Images, Preprocessing
from common.data.sharding import Shard
from common.data.unchanged import WatchedImages
from common.detectors import store
from common.detectors.description import PUBLISHED_COMMAND
from common.detectors.novelty import SAMPLE, Describer, TrainingSummary
from common.detectors.store import Detector
from common.evaluation.predictions import prediction_table
from common.files import sha256, write_bytes
from common.runs import folder
from common.runs.options import RunOptions, changed_flags, preset_name
from common.training import distribution
from common.training.multiworker import wait_for_all
from common.training.supervised import Training
from reproductions.baselines import TestSets, measure_baselines, sets_by_dataset
from reproductions.class_preparation import warn_of_differences
from reproductions.durations import log_durations, log_expected_duration
from reproductions.inputs import Batch, RunData, log_resolution
from reproductions.rows import write_tables
from reproductions.splitting import Split
from results.closing import closing_lines
from results.compare import write_comparison
from results.rendering import WIDTH, text
from results.tables import upsert

log = logging.getLogger("deepfake")


class Session:
    """A run: config, weights and data in; run folder, rows and comparison out.

    Args:
        paper: the paper's name.
        presets: its presets, by name.
        config: the resolved config.
        weights: {model: file} of --weights.
        data: the data sets and their splits.
        batches: the batches that its trainings need, checked before the run folder is created.
        fingerprints: {name: hash} of what else the run starts from.

    Raises:
        UserError: if a batch cannot be filled, the devices do not divide it, or images are not those of the manifest.
    """

    def __init__(
        self,
        paper: str,
        presets: Mapping[str, RunOptions],
        config: Any,
        weights: Mapping[str, Path],
        data: RunData,
        batches: Iterable[Batch] = (),
        fingerprints: Mapping[str, str] | None = None,
    ):
        self.strategy = distribution.set_up(
            config.strategy, config.precision, config.deterministic, worker_minutes=config.worker_minutes
        )
        self.is_chief = Shard.of(self.strategy).is_chief
        config = config if self.is_chief else folder.in_scratch(config)
        self.paper, self.presets, self.config, self.weights, self.data = paper, presets, config, weights, data
        for batch in batches:
            batch.check()
            distribution.check_batch(batch.size, self.strategy, batch.flag)
        self._watched = WatchedImages(data.datasets)
        self._fingerprints = data.fingerprints  # hashes of whole manifests: computed once
        inputs = self._fingerprints | {f"weights of {name}": sha256(file) for name, file in weights.items()}
        self.devices = distribution.describe_devices()
        self.run = folder.open_run(paper, config, inputs | dict(fingerprints or {}), self.devices)
        distribution.log_devices(self.devices, self.strategy)
        pixel_store.open_store(config.memory_share)
        config.results.mkdir(parents=True, exist_ok=True)
        self.faces = data.face_cropping()
        self._tables: list[str] = []  # of summary.txt
        self._summaries: dict[tuple, tuple[keras.KerasTensor, TrainingSummary | None]] = {}  # of one split's networks
        data.log_images()
        is_measured = not config.data and preset_name(config, presets) == "quick"
        log_expected_duration(Path(__file__).parent / paper if is_measured else None, len(config.seeds))
        warn_of_differences(data.datasets)
        if config.data:
            log_resolution(data.splits)

    def splits(self) -> Iterator[Split]:
        """Yield each protocol and seed. The first keeps the models' plain names."""
        for number, split in enumerate(log_durations(self.data.splits, lambda one: f"{one.protocol}, seed {one.seed}")):
            split.suffix = f"-{split.protocol}-seed{split.seed}" if number else ""
            yield split

    def splits_by_seed(self) -> Iterator[list[Split]]:
        """Yield the protocols of each seed together, which share one training. The first seed keeps the plain names."""
        seeds = list(dict.fromkeys(split.seed for split in self.data.splits))
        for number, seed in enumerate(log_durations(seeds, lambda one: f"seed {one}")):
            splits = [split for split in self.data.splits if split.seed == seed]
            for split in splits:
                split.suffix = f"-seed{seed}" if number else ""
            yield splits

    def models(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the models that are trained, or that have weights if nothing is trained."""
        names = list(names)
        for number, name in enumerate(names, 1):
            if not self.config.epochs and name not in self.weights:
                log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", name, name)
                continue
            if len(names) > 1:
                log.info("%s: model %d of %d", name, number, len(names))
            yield name

    def training(self, name: str, split: Split, part: str = "") -> Training:
        """Return the devices, the seed and the state's folder of one training."""
        words = [name + split.suffix, part.replace(" ", "")]
        return self.training_in("-".join(filter(None, words)), split.seed)

    def training_in(self, name: str, seed: int) -> Training:
        """Return the training whose state is in the folder `name`."""
        logs = self.run.folder / "tensorboard" / name if self.config.tensorboard else None
        folder, config = self.run.path("checkpoints", name), self.config
        return Training(self.strategy, folder, seed, config.jit, logs, config.checkpoint_minutes)

    def add(
        self,
        split: Split,
        detector: Detector,
        history: pd.DataFrame | None,
        notes: Sequence[str],
        scored: pd.DataFrame | None = None,
        part: str = "",
    ) -> None:
        """Save a detector, score images with it, and record its predictions, history and notes.

        Args:
            split: what it was trained on.
            detector: its description names the model; the session adds protocol, seed, data and file names.
            history: one row an epoch; None if it was not trained.
            notes: what a reader of its numbers must know.
            scored: the images to score; None: those of validation and test.
            part: the case or fold.
        """
        if scored is None:
            images = split.parts[part]
            scored = images[images["split"] != "train"]
        self.save(split, detector, part)
        self.record(split, detector.description.model, scored, self.score(detector, scored), history, notes)

    def save(self, split: Split, detector: Detector, part: str = "", images: pd.DataFrame | None = None) -> None:
        """Write a detector into the run's models/, with protocol, seed and training data in its description.

        Args:
            split: what it was trained on.
            detector: its description names the model.
            part: the case or fold, if its name is that of a stored detector.
            images: of its own training and validation, if they are not those of the part; None: of the part.
        """
        images = split.parts.get(part, split.images) if images is None else images
        names = detector.description.trained_on or self.data.trained
        summary = self._summarize(split, detector, part, images) if self.config.epochs else None
        description = replace(
            detector.description,
            faces=self.faces,
            protocol=split.protocol,
            seed=split.seed,
            part=part,
            trained_on={name: self._fingerprints[name] for name in names} if self.config.epochs else {},
        ).placed(split.suffix, detector.classifier is not None, summary is not None)
        store.save(replace(detector, description=description, summary=summary), self.run.folder / "models")

    def _summarize(self, split: Split, detector: Detector, part: str, images: pd.DataFrame) -> TrainingSummary | None:
        """Return where the training images of a detector are, for predict: of a sample of them, and of validation."""
        network = store.feature_network(detector.network, detector.description)
        key = (split.protocol, split.seed, part, detector.classifier is not None, id(network.output))
        if key not in self._summaries:  # ten classifiers share a network's features, and their summary
            self._summaries = {key: (network.output, self._summary(split, detector, network, images))} | {
                other: kept for other, kept in self._summaries.items() if other[:3] == key[:3]
            }
        return self._summaries[key][1]

    def _summary(
        self, split: Split, detector: Detector, network: keras.Model, images: pd.DataFrame
    ) -> TrainingSummary | None:
        preprocessing = Preprocessing(**detector.description.preprocessing)
        describe = Describer(network, detector.classifier is not None)
        sides = []
        for side in ("train", "val"):
            table = images[images["split"] == side].drop_duplicates("file")
            table = table.sample(min(SAMPLE, len(table)), random_state=split.seed)
            if table.empty:
                return None
            batches = Images(table, preprocessing).evaluation_batches(min(self.config.batch_size, len(table)))
            sides.append(describe(batches, len(table)))
        return TrainingSummary.fit(*sides)

    def score(self, detector: Detector, images: pd.DataFrame, batch_size: int | None = None):
        """Return the scores of the images of a table, float64 (n,), in [0, 1]."""
        table = Images(images, Preprocessing(**detector.description.preprocessing))
        return detector.score(table.evaluation_batches(batch_size or self.config.batch_size), len(images))

    @staticmethod
    def record(split: Split, model: str, images: pd.DataFrame, scores, history=None, notes=()) -> None:
        """Keep a model's scores (n,) of `images`, its history and its notes for the run's tables."""
        split.predictions.append(prediction_table(images, scores, model, split.protocol, split.seed))
        split.notes[model] = list(notes)
        if history is not None:
            split.histories[model] = history

    def publish(
        self,
        rows_of: Callable[[Split], pd.DataFrame],
        remarks: Sequence[str] = (),
        test_sets: TestSets = sets_by_dataset,
    ) -> list[pd.DataFrame]:
        """Write predictions.csv and its companions, then each split's rows into RESULTS/<paper>.csv.

        Beside the paper's rows are those of the baselines, and of the thresholds that validation chooses.
        If an image has changed since the start, it is a UserError, and what was trained on it is dropped.

        Args:
            rows_of: the rows of a split, with the column model.
            remarks: what a reader of every number must know.
            test_sets: the test sets that these rows are of; a paper may join data sets of one class.

        Returns:
            The rows of each split.
        """
        with self.run.dropping_checkpoints():
            self._watched.check()
        splits = self.data.splits
        write_tables(splits, self.run)
        carried_of = measure_baselines(splits, self.run, test_sets)
        published = [rows_of(split) for split in splits]
        for split, table, carried in zip(splits, published, carried_of, strict=True):
            self._upsert(split, table if carried.empty else pd.concat([table, carried]), remarks)
        return published

    def summarize(self, title: str, lines: Sequence[str]) -> None:
        """Keep a table for summary.txt; `lines` may be none."""
        self._tables += ["", title, *(f"  {line}" for line in lines)] if lines else []

    def finish(self) -> None:
        """Write summary.txt and the comparison, mark the run as finished, and print what it found and where it is.

        Of several machines, the chief does this, and all end together.
        """
        comparison = self._write_summary() if self.is_chief else None
        self.run.finish()  # now all files are there
        pixel_store.close_store()
        if comparison is not None:
            print("\n".join(closing_lines(comparison, self._files())), flush=True)
        wait_for_all(self.strategy)

    def _write_summary(self) -> pd.DataFrame:
        comparison = write_comparison([self.paper], self.config.results, self.run.name)
        lines = "\n".join([*text(comparison), *self._tables])
        write_bytes(f"{lines.rstrip()}\n".encode(), self.run.path("summary.txt"))
        return comparison

    def _files(self) -> list[str]:
        """Return where the output files are, and how to go on, as lines."""
        folder, results = self.run.folder, self.config.results
        names = [path.name + "/" * path.is_dir() for path in sorted(folder.iterdir())]
        if self.config.epochs and any(map(is_synthetic, self.data.trained)):
            advice = f"trained on drawn faces; for photographs, MesoNet's published weights: {PUBLISHED_COMMAND} FILE"
        else:
            advice = f"score a picture or a video: python -m common.predict {folder} FILE"
        return [
            f"rows: {results / self.paper}.csv; all papers: comparison.md and comparison.csv beside it",
            f"every number of this run, with reasons and notes: {folder / 'summary.txt'}",
            *textwrap.wrap(f"also in {folder}: {', '.join(names)}", WIDTH, subsequent_indent="  "),
            advice,
        ]

    def _upsert(self, split: Split, table: pd.DataFrame, remarks: Sequence[str]) -> None:
        """Put a split's rows into RESULTS/<paper>.csv, each with its own notes and those of the run."""
        shared = [*changed_flags(self.config, self.presets), *distribution.notes(), *split.remarks, *remarks]
        notes = [
            "; ".join(filter(None, [note, *split.notes.get(model, ()), *shared]))
            for note, model in zip(table["note"], table["model"], strict=True)
        ]
        rows = table.drop(columns="model").assign(
            paper=self.paper, protocol=split.protocol, preset=preset_name(self.config, self.presets), seed=split.seed,
            run=self.run.name, commit=self.run.commit, note=notes,
        )  # fmt: skip
        upsert(rows, self.config.results / f"{self.paper}.csv")
