"""Who may work on a prepared folder: one run alone, or the shards of one division side by side.

A run holds `.lock`, a shard e.g. `.lock-2-of-4`, from its start to its end; a second process is refused at once. All
hold `.lock-journal` while they start, open the journals or write the manifest; shards wait for each other there.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from common.errors import UserError
from common.files import file_lock

LOCK = ".lock"
JOURNAL_LOCK = ".lock-journal"
JOURNAL_TIMEOUT_SECONDS = 600  # many shards may start at once, and each reads the journals of all


@dataclass(frozen=True)
class Shard:
    """A share of the work; share 1 of 1 is all of it.

    Args:
        number: counted from 1.
        total: number of shares.
    """

    number: int = 1
    total: int = 1

    @property
    def suffix(self) -> str:
        """How the names of its journal, its lock and its folder of partial files end."""
        return "" if self.total == 1 else f"-{self.number}-of-{self.total}"

    def contains(self, path: str) -> bool:
        """Return True if a raw path is in this share: by a hash, so that new files do not move others."""
        return zlib.crc32(path.encode()) % self.total == self.number - 1

    @contextmanager
    def shard_lock(self, folder: Path) -> Iterator[None]:
        """Hold this share of the prepared folder while the block runs.

        Raises:
            UserError: if another process works on the same share, or on a share of another division.
        """
        with file_lock(folder / f"{LOCK}{self.suffix}", self._subject(folder)) as lock:
            with self.journal_lock(folder):
                try:
                    self._refuse_other_divisions(folder)
                except UserError:
                    lock.release()  # before the next process looks: of two that start together one must succeed
                    raise
            yield

    def journal_lock(self, folder: Path) -> AbstractContextManager[FileLock]:
        """Hold the lock for what only one process may do at a time: open the journals, write the manifest.

        Raises:
            UserError: if another process still holds it after JOURNAL_TIMEOUT_SECONDS.
        """
        return file_lock(folder / JOURNAL_LOCK, f"the journals of {folder}", JOURNAL_TIMEOUT_SECONDS)

    def _subject(self, folder):
        return f"the prepared folder {folder}" + (f", --shard {self.number}/{self.total}" if self.suffix else "")

    def _refuse_other_divisions(self, folder):
        """Refuse to start if a run without shards, or a shard of another division, holds its lock."""
        for path in folder.glob(f"{LOCK}*"):
            if path.name in (f"{LOCK}{self.suffix}", JOURNAL_LOCK):
                continue
            if self.suffix and path.name.endswith(f"-of-{self.total}"):
                continue
            try:
                with FileLock(path, timeout=0):
                    pass
            except Timeout:
                name = path.name.removeprefix(LOCK).removeprefix("-").replace("-of-", "/")
                process = f"--shard {name}" if name else "a run without --shard"
                raise UserError(f"{process} is working on {folder}: wait until it ends, or stop it") from None


def parse_shard(text: str | None) -> Shard:
    """Read `I/N`; None is all of the work.

    Raises:
        UserError: if the text is anything else.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text or "1/1")
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"--shard: expected I/N with I from 1 to N, e.g. 1/4, got {text}")
    return Shard(int(match[1]), int(match[2]))
