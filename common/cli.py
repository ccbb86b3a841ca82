"""What every command line of the suite shares: tyro for the flags, one line and exit code 2 for a user's mistake."""

import sys
from collections import Counter

import tyro

from common.errors import UserError

STOPPED = 130  # the shell's own code for Ctrl-C
GOES_ON = "stopped; the same command goes on from here"


def parse(options, argv=None, *, prog=None, description=None, default=None):
    """Read the command line into the dataclass `options`; a wrong flag prints tyro's box and exits with code 2.

    `default` is an instance whose values stand in --help. A flag given twice is refused: tyro would keep the last in
    silence, and `--data a=/x --data b=/y` would lose a data set.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    flags = Counter(word.split("=", 1)[0].replace("_", "-") for word in argv if word.startswith("--"))
    for flag, times in flags.items():
        if times > 1:
            raise UserError(f"{flag} is given {times} times; give it once, with all its values: {flag} A B")
    extra = {} if default is None else {"default": default}
    return tyro.cli(
        options, args=argv, prog=prog, description=description, config=(tyro.conf.FlagCreatePairsOff,), **extra
    )


def run_main(main, stopped="stopped"):
    """Call `main()` as a program: exit 0, 2 after a UserError (one line; a traceback with --debug), 130 on Ctrl-C.

    What the operating system refuses (no space, no right to write) is the user's to mend too. stopped: said on Ctrl-C.
    """
    try:
        sys.exit(main() or 0)
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:  # the reader of our output (`| head`) went away: not an error
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if "--debug" in sys.argv or error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
