"""Published numbers, our numbers, and what compares them: everything after predictions.csv, without a model."""
