"""Raw data sets in, faces and a manifest out: it knows no model."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another package `common` hides that of this suite: {[*common.__path__]}; run elsewhere")
