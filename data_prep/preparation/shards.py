"""Who may work on a prepared folder: one run alone, or the shards of one split, side by side.

`.lock` is held by a run without a shard all the time, and by a shard while it opens the journals and while it writes
the manifest. `.lock-2-of-4` is held by that shard all the time.
"""

import re
import zlib
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from common.errors import UserError

LOCK = ".lock"


@dataclass(frozen=True)
class Shard:
    """The share `number`, counted from 1, of `of` shares of the work; one of one is all of it."""

    number: int = 1
    of: int = 1

    @property
    def suffix(self):
        """What the names of its journal, its lock and its folder of partial files end with."""
        return "" if self.of == 1 else f"-{self.number}-of-{self.of}"

    def owns(self, path):
        """True if a raw path is in this share: by a hash, so that a file that comes later moves no other."""
        return zlib.crc32(path.encode()) % self.of == self.number - 1

    @contextmanager
    def at_work(self, folder):
        """Hold this share of `folder`; UserError while a run is at work there that shares the work out differently."""
        from filelock import FileLock

        with FileLock(folder / f"{LOCK}{self.suffix}"):
            with self.books(folder):
                self._refuse_others(folder)
            yield

    def books(self, folder):
        """Hold what one run may do at a time: open the journals, write the manifest."""
        from filelock import FileLock

        return FileLock(folder / LOCK) if self.suffix else nullcontext()

    def _refuse_others(self, folder):
        from filelock import FileLock, Timeout

        for path in folder.glob(f"{LOCK}-*"):
            if self.suffix and path.name.endswith(f"-of-{self.of}"):
                continue
            try:
                FileLock(path, timeout=0).acquire().lock.release()
            except Timeout:
                shard = path.name.removeprefix(f"{LOCK}-").replace("-of-", "/")
                raise UserError(f"--shard {shard} is at work on {folder}: wait for it, or stop it") from None


def parse_shard(text):
    """Read `I/N` into a Shard, None into the whole; UserError if it is anything else."""
    found = re.fullmatch(r"(\d+)/(\d+)", text or "1/1")
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--shard: expected I/N with I from 1 to N, e.g. 1/4, got {text}")
    return Shard(int(found[1]), int(found[2]))
