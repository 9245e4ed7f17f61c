"""From a window's counts to a verdict: test, effect, distances, and the decision over windows running."""
