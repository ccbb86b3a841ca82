"""From scores to metrics with intervals, baselines, breakdowns, paired comparisons and figures."""
