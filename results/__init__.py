"""Published numbers, generated numbers, and what compares them: everything after predictions.csv, no model needed."""
