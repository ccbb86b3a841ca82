"""What every command line of the suite shares: tyro for the flags, one line and exit code 2 for a user's error."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import tyro

from common.errors import UserError
from common.progress import set_quiet

EXIT_INTERRUPTED = 130  # the shell's own code for Ctrl-C
QUIET = "--quiet"  # of every command
QUIET_HELP = f"{QUIET}: show no progress."
RESUME_HINT = "stopped; the same command resumes"

Options = TypeVar("Options")


def parse(
    options: type[Options], argv: Sequence[str] | None = None, *, prog: str | None = None,
    description: str | None = None, default: Options | None = None,
) -> Options:  # fmt: skip
    """Read a command line into a dataclass; a wrong flag prints tyro's box and exits with code 2.

    --quiet, which is no field of any dataclass, turns progress off in this process.

    Args:
        options: the dataclass.
        argv: the words of the command line; None: those of this process.
        prog: the command as --help prints it.
        description: the text at the top of --help.
        default: an instance whose values --help shows as defaults.

    Raises:
        UserError: if a flag is given twice. tyro would silently keep the last, and `--data a=/x --data b=/y` would lose
            a data set.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    flags = Counter(word.split("=", 1)[0].replace("_", "-") for word in argv if word.startswith("--"))
    for flag, times in flags.items():
        if times > 1:
            raise UserError(f"{flag} is given {times} times; give it once, with all its values: {flag} A B")
    set_quiet(QUIET in argv)
    argv = [word for word in argv if word != QUIET]
    description = f"{(description or options.__doc__ or '').rstrip()}\n\n{QUIET_HELP}"
    extra: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        options, args=argv, prog=prog, description=description, config=(tyro.conf.FlagCreatePairsOff,), **extra
    )


def run_main(main: Callable[[], int | None], interrupted: str = "stopped") -> NoReturn:
    """Call `main` as a program and exit.

    The exit code is that of `main`, 2 after a UserError or an error of the operating system (one line; a traceback with
    --debug), 130 on Ctrl-C.

    Args:
        main: returns an exit code, or None for 0.
        interrupted: what to print on Ctrl-C.
    """
    try:
        sys.exit(_call(main))
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output (`| head`) closed it: not an error
        _end_output()
        sys.exit(0)
    except (UserError, OSError) as error:
        _end_output()
        if "--debug" in sys.argv:
            raise
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)


def _call(main):
    """Return the exit code of `main` when all that it printed is out: an error at the interpreter's end is nobody's."""
    try:
        code = main() or 0
    except SystemExit as end:  # of --help
        code = end.code
    sys.stdout.flush()
    return code


def _end_output():
    """Write out what is left of our output, or drop it: the interpreter would complain, and exit with code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # no file of the operating system
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(error: Exception) -> str:
    """Return an error as one line; of the operating system's, such as a full disk, the file if it is known."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) if isinstance(error, OSError) else str(error)
