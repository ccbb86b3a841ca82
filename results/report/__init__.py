"""The report: everything that is published, measured and found, as one page that needs no network."""
