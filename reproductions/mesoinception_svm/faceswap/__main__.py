"""Swap the faces of two persons as the paper's Figure 1 describes, and write the result as a prepared data set.

    python -m reproductions.mesoinception_svm.faceswap FOLDER_A FOLDER_B DST
    python -m reproductions.mesoinception_svm.faceswap person:3 person:15 DST      two drawn persons

Two autoencoders share one encoder and have a decoder each; the face of one person, decoded by the other's decoder, is
the other person with the expression of the first. If it was stopped, the same command resumes. Figure 1 is written
beside DST. Use it as any data set: --data deepfake=DST.
"""

import logging
import shutil
import sys
from collections.abc import Sequence

from common.cli import RESUME_HINT, parse, run_main
from common.errors import UserError
from common.files import file_lock, write_csv, write_json
from common.runs.options import check_rules
from common.tensorflow_import import import_tensorflow
from reproductions.mesoinception_svm.faceswap.config import (
    SETTINGS,
    STATE,
    FaceSwapOptions,
    is_complete,
    resolve_source,
)

PROGRAM = "python -m reproductions.mesoinception_svm.faceswap"
log = logging.getLogger("deepfake")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = check_rules(parse(FaceSwapOptions, argv, prog=PROGRAM, description=__doc__))
    if options.size % 16:
        raise UserError(f"--size: expected a multiple of 16, got {options.size}")
    sources = [resolve_source(word) for word in (options.a, options.b)]
    if sources[0][0] == sources[1][0]:
        raise UserError(f"expected the pictures of two persons, got {options.a} twice")
    if is_complete(options, tuple(folder for folder, _ in sources)):
        print(f"{options.dst} is complete")
        return 0
    with file_lock(options.dst / STATE / "lock", f"the face swap {options.dst}"):
        write_json(options.settings(), options.dst / STATE / SETTINGS)
        return _swap(options, sources)


def _swap(options, sources):
    import_tensorflow()
    from reproductions.mesoinception_svm.faceswap.dataset import write_dataset
    from reproductions.mesoinception_svm.faceswap.faces import FaceFinder
    from reproductions.mesoinception_svm.faceswap.figure import swap_figure
    from reproductions.mesoinception_svm.faceswap.persons import read_person
    from reproductions.mesoinception_svm.faceswap.train import train_autoencoders

    log.handlers, log.propagate = [logging.StreamHandler(sys.stderr)], False
    log.setLevel(logging.INFO)
    finder = FaceFinder(options.faces)
    names = [name for _, name in sources]
    names = names if len(set(names)) == 2 else [f"{name}-{key}" for name, key in zip(names, "ab", strict=True)]
    folders = [folder for folder, _ in sources]
    persons = [
        read_person(key, name, folder, finder, options.size)
        for key, name, folder in zip("ab", names, folders, strict=True)
    ]
    state = options.dst / STATE
    network, history = train_autoencoders(persons, options, state / "training")
    write_csv(history, options.dst / "history.csv")
    network.save(options.dst / "faceswap.keras")
    figure = swap_figure(
        network, persons, finder.enlargement, options.dst.with_name(f"{options.dst.name}-figure_01_faceswap.png")
    )
    images = write_dataset(network, persons, options, finder.enlargement)
    shutil.rmtree(state / "training", ignore_errors=True)
    print(f"{options.dst}: {len(images)} images, half of them fake; figure: {figure}")
    print(f"check it: python -m data_prep verify {options.dst}; use it: --data NAME={options.dst}")
    return 0


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
