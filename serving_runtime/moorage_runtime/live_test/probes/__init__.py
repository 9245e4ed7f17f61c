"""Checks beside the records: identity, negative requests, offline skew, capture round trip."""
