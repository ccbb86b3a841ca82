"""The run folder: RUNS/<paper>/<preset>-<hash>-<number>/, what it was made from and what came of it.

The hash is of the resolved config and the data, so the same command finds its own killed run and goes on with it; a
finished run is left alone and the next number is taken.
"""

import logging
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from common.errors import UserError
from common.files import read_json, write_csv, write_json
from common.runs.options import WHERE, digest, to_json

PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "mtcnn", "scikit-learn", "scipy", "pandas")
LOCK = ".lock"
log = logging.getLogger("deepfake")


@dataclass(frozen=True)
class Run:
    """One run's folder. `commit` is the code's version, `name` the folder's name."""

    folder: Path
    commit: str
    lock: object  # held while the run lasts, also against the same command given twice

    @property
    def name(self):
        return self.folder.name

    def path(self, *parts):
        """A path in the run folder; its parent folder is made."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_csv(self, frame, name):
        write_csv(frame, self.path(name))

    def finish(self):
        """Mark the run as whole, so that the same command starts a new one, and drop what only resuming needs."""
        _update_environment(self.folder, finished=_now())
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        self.lock.release()
        (self.folder / LOCK).unlink(missing_ok=True)


def open_run(paper, config, data, devices):
    """Make the folder of a run, or find the unfinished one of the same config and data.

    data: {name: fingerprint of its manifest}; devices: what TensorFlow computes on. Returns a Run; log.txt is open.
    UserError if --resume names a finished run or one whose data have changed.
    """
    values = {name: value for name, value in to_json(config).items() if name not in WHERE}
    key = f"{config.preset}-{digest([values, data])[:8]}"
    folder = _resumed(config.resume) if config.resume else _place(Path(config.runs) / paper, key)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"another process is at work on {folder}; wait for it, or choose another --runs") from error
    commit = code_version()
    before = _environment(folder)
    if before and before["data"] != data:
        raise UserError(f"{folder}: its data have changed since it began; start a new run without --resume")
    write_json(to_json(config), folder / "config.json")
    _update_environment(
        folder,
        paper=paper,
        data=data,
        started=before.get("started", _now()),
        resumed=[*before.get("resumed", []), {"at": _now(), "commit": commit}] if before else [],
        commit=before.get("commit", commit),
        python=platform.python_version(),
        system=platform.platform(),
        devices=devices,
        packages={name: version for name in PACKAGES if (version := _version(name))},
    )
    _open_log(folder / "log.txt")
    log.info("%s run %s", "going on with" if before else "new", folder)
    return Run(folder, commit, lock)


def is_finished(folder):
    """Whether the run in `folder` came to its end."""
    return "finished" in _environment(folder)


def code_version():
    """The commit of the checkout, `+changed` where tracked code differs from it; the package's version elsewhere."""
    root = Path(__file__).resolve().parents[2]

    def git(*words):
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) == root:
            changed = git("diff", "HEAD", "--name-only", "--", "*.py")
            return git("rev-parse", "--short=12", "HEAD") + ("+changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, or no commit yet
        pass
    return _version("deepfake-reproductions") or "unknown"


def _place(parent, key):
    number = 1
    while is_finished(parent / f"{key}-{number}"):
        number += 1
    return parent / f"{key}-{number}"


def _resumed(folder):
    if is_finished(folder):
        raise UserError(f"--resume: {folder} is finished; the command without --resume starts a new run")
    return Path(folder)


def _environment(folder):
    path = Path(folder) / "environment.json"
    return read_json(path) if path.exists() else {}


def _update_environment(folder, **values):
    write_json(_environment(folder) | values, folder / "environment.json")


def _open_log(path):
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    for handler in list(log.handlers):  # a second run in one process logs into its own folder
        log.removeHandler(handler)
        handler.close()
    file, screen = logging.FileHandler(path), logging.StreamHandler()
    file.setFormatter(formatter)
    log.addHandler(file)
    log.addHandler(screen)
    log.setLevel(logging.INFO)
    log.propagate = False


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
