"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake of the user's: the command line shows its message as one line and exits with code 2.

    The message says what was expected, what came, and what to do next.
    """
