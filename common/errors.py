"""The one exception that means: the user can fix this."""


class UserError(Exception):
    """A user's mistake: the command line shows its message as one line and exits with code 2.

    The message says what was expected, what was found, and what to do next.
    """
