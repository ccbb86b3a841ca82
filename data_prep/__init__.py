"""Raw data sets in, faces and a manifest out: it knows no model."""
