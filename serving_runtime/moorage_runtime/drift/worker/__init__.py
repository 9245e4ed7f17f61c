"""The running worker: start, loop, keep, report."""
