"""Published numbers, our numbers, and what compares them: everything after predictions.csv, without a model."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another module `common` hides that of this suite: {common.__file__}; run elsewhere")
