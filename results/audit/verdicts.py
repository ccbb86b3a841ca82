"""The verdicts of the audit.

CONTRADICTION is an accusation: under no reading are the numbers possible together. NO_SINGLE is none: the numbers are
of no single confusion matrix, but averages over classes, folds or seeds can print them.
"""

CONTRADICTION, NO_SINGLE, ROUNDING = "contradiction", "no single confusion matrix", "rounding"
UNIQUE, RANGE, HOLDS, READING = "one matrix", "range", "holds", "from reading"
