"""The foundation that every paper stands on: it knows no paper and no data set's layout."""
