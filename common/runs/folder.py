"""The run folder: RUNS/<paper>/<preset>-<hash>-<number>/, its inputs and its results.

The hash is of the resolved config and the data, so the same command finds its own killed run and resumes it; a finished
run is left alone and the next number is taken.
"""

import atexit
import dataclasses
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.files import file_lock, remove_folder, remove_leftovers, write_bytes, write_csv, write_json
from common.progress import is_quiet, set_quiet
from common.runs.environment import PROJECT, describe_environment, read_environment, requirements
from common.runs.options import Config, RunOptions, computed_values, digest, to_json

LOCK = ".lock"
CHECKPOINTS = "checkpoints"  # the folder of all trainings' checkpoints
log = logging.getLogger("deepfake")


@dataclass(frozen=True)
class Run:
    """One run's folder.

    Args:
        folder: RUNS/<paper>/<run>.
        commit: the version of the code; after a resume under another one, both, joined by `,`.
        lock: held until the run ends, against the same command given twice.
    """

    folder: Path
    commit: str
    lock: ExitStack

    @property
    def name(self) -> str:
        return self.folder.name

    def path(self, *parts: str) -> Path:
        """Return a path in the run folder; its parent folder is created."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_csv(self, frame: pd.DataFrame, name: str) -> None:
        """Write a table into the run folder, atomically."""
        write_csv(frame, self.path(name))

    @contextmanager
    def dropping_checkpoints(self) -> Iterator[None]:
        """Remove the checkpoints if the block ends with a UserError: the same command trains from the beginning."""
        try:
            yield
        except UserError:
            remove_folder(self.folder / CHECKPOINTS)
            raise

    def finish(self) -> None:
        """Mark the run as finished, so that the same command starts a new one, and drop what only resuming needs."""
        _update_environment(self.folder, finished=_now())
        remove_folder(self.folder / CHECKPOINTS)
        self.lock.close()
        (self.folder / LOCK).unlink(missing_ok=True)


class _LogFile(logging.FileHandler):
    """A log.txt that ends the run if it cannot be written, as any other file does, and prints no traceback for it."""

    def handleError(self, record):
        raise  # called while the error is handled


def open_run(paper: str, config: RunOptions, data: dict[str, str], devices: list[str]) -> Run:
    """Create the folder of a run, or find the unfinished one of the same config and data, and open its log.txt.

    Args:
        paper: the paper's name.
        config: the resolved config.
        data: {name: fingerprint} of everything the run starts from.
        devices: the names of the devices that TensorFlow computes on.

    Raises:
        UserError: if --resume names a finished run or one whose data have changed, or another process works on it.
    """
    key = f"{config.preset}-{digest([computed_values(config), data])[:8]}"
    folder = _resumed(config.resume) if config.resume else _next_folder(config.runs / paper, key)
    folder.mkdir(parents=True, exist_ok=True)
    lock = ExitStack()
    lock.enter_context(file_lock(folder / LOCK, f"the run {folder}"))
    remove_leftovers(folder)
    commit = code_version()
    previous = _environment(folder)
    if previous and previous["data"] != data:
        raise UserError(f"{folder}: its data have changed since it started; start a new run without --resume")
    resumed = [*previous.get("resumed", []), {"at": _now(), "commit": commit}] if previous else []
    commits = list(dict.fromkeys([previous.get("commit", commit), *(resume["commit"] for resume in resumed)]))
    write_json(to_json(config), folder / "config.json")
    environment = describe_environment()
    write_bytes(requirements(environment, commit).encode(), folder / "requirements.txt")
    _update_environment(
        folder,
        paper=paper,
        data=data,
        started=previous.get("started", _now()),
        resumed=resumed,
        commit=commits[0],
        commits=commits,
        devices=devices,
        **environment,
    )
    _open_log(folder / "log.txt")
    log.info("%s run %s", "resuming" if previous else "new", folder)
    if len(commits) > 1:
        log.warning("this run was started under commit %s and is resumed under %s", ", ".join(commits[:-1]), commit)
    before, now = (_backend(each) for each in (previous or environment, environment))
    if before != now:
        log.warning("this run was trained under KERAS_BACKEND=%s before, now under %s: dropout differs", before, now)
    return Run(folder, ",".join(commits), lock)


def _backend(environment):
    return environment.get("variables", {}).get("KERAS_BACKEND") or "tensorflow"


def in_scratch(config: Config) -> Config:
    """Return the config of a machine that computes what another one writes: its files go where nobody reads them.

    Its run and its results are in a temporary folder, which is removed when the process ends; it shows no progress.
    """
    scratch = Path(tempfile.mkdtemp(prefix="deepfake-worker-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    set_quiet(True)
    return dataclasses.replace(config, runs=scratch / "runs", results=scratch / "results", resume=None)


def is_finished(folder: Path) -> bool:
    """Return whether the run in `folder` has finished.

    One that was killed over the removal of its checkpoints has not: the same command ends it, without training again.
    """
    return "finished" in _environment(folder) and not (Path(folder) / CHECKPOINTS).is_dir()


def code_version() -> str:
    """Return the commit of the checkout, with `+changed` if tracked code differs from it, or the package's version."""
    root = Path(__file__).resolve().parents[2]

    def git(*words):
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) == root:
            changed = git("diff", "HEAD", "--name-only", "--", "*.py")
            return git("rev-parse", "--short=12", "HEAD") + ("+changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, or no commit yet
        pass
    try:
        return metadata.version(PROJECT)
    except metadata.PackageNotFoundError:
        return "unknown"


def _next_folder(parent, key):
    number = 1
    while is_finished(parent / f"{key}-{number}"):
        remove_leftovers(parent / f"{key}-{number}", CHECKPOINTS, deep=False)
        number += 1
    return parent / f"{key}-{number}"


def _resumed(folder):
    if is_finished(folder):
        raise UserError(f"--resume: {folder} is finished; the command without --resume starts a new run")
    return Path(folder)


def _environment(folder):
    path = Path(folder) / "environment.json"
    return read_environment(path) if path.exists() else {}


def _update_environment(folder, **values):
    """Write values into environment.json. The run is then unfinished, unless `finished` is among them."""
    before = {name: value for name, value in _environment(folder).items() if name != "finished"}
    write_json(before | values, folder / "environment.json")


def _open_log(path):
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    for handler in list(log.handlers):  # a second run in one process logs into its own folder
        log.removeHandler(handler)
        handler.close()
    file, screen = _LogFile(path, encoding="utf-8"), logging.StreamHandler()
    file.setFormatter(formatter)
    log.addHandler(file)
    screen.setLevel(logging.WARNING if is_quiet() else logging.INFO)
    log.addHandler(screen)
    log.setLevel(logging.DEBUG)  # what is for log.txt alone
    log.propagate = False


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
