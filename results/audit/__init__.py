"""Can the numbers of a table be true together? A solver over confusion matrices, and relations between numbers."""
