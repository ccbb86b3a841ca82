"""From scores to metrics with intervals, paired tests and figures."""
