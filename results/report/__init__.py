"""The report: everything that was published, measured and found, as one page that needs no network."""
