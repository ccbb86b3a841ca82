"""The foundation that every paper stands on: it knows no paper and no data set's layout."""

PROJECT = "deepfake-reproductions"  # by which the other rooms know that `common` is this one
