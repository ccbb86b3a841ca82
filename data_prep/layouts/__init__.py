"""How each data set is stored on disk: one module a layout, and what all of them share."""
