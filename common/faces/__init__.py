"""Face detectors, and the crops that are made from what they find."""
