"""One folder a paper: what is special to that paper, and nothing else."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another package `common` hides that of this suite: {[*common.__path__]}; run elsewhere")
