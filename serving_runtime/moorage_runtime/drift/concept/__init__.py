"""Concept drift: labels joined to the predictions that waited for them, and detectors on the errors."""
