"""Targets: label maps, bit masks, run-length codes and probabilities, read region by region."""
