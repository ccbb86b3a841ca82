"""Raw data sets in, faces and a manifest out: it knows no model."""

import common

if getattr(common, "PROJECT", "") != "deepfake-reproductions":
    raise ImportError(f"another module `common` hides that of this suite: {common.__file__}; run elsewhere")
