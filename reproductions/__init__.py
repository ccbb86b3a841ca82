"""One folder a paper: what is special to that paper, and nothing else."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another module `common` hides that of this suite: {common.__file__}; run elsewhere")
