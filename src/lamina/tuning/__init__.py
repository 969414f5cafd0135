"""Choice of the decision on out-of-fold predictions."""
