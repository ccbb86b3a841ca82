"""Published numbers, our numbers, and what compares them: everything after predictions.csv, without a model."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another package `common` hides that of this suite: {[*common.__path__]}; run elsewhere")
