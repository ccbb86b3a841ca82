"""Files that grow in a folder of their own inside the prepared one, and appear in their place when they are whole."""

import os
import shutil
import uuid
from contextlib import contextmanager


@contextmanager
def partial_file(folder, target):
    """Yield a new path in `folder`, with the suffix of `target`; it becomes `target` if the block ends well.

    `folder` is on the file system of `target`. It belongs to one run, which removes it with all that a killed process
    left there; a worker that outlived its run can then put nothing in place any more.
    """
    temporary = folder / f"{uuid.uuid4().hex}{target.suffix}"
    try:
        yield temporary
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def partial_folder(folder, target):
    """Yield a new folder in `folder`; it replaces the folder `target` if the block ends well and it holds something."""
    temporary = folder / uuid.uuid4().hex
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(target, ignore_errors=True)
        if any(temporary.iterdir()):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
