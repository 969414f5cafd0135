"""Search for triplets: two thresholds and a minimum area."""
