"""Cross-fitted choice between decisions: which one is expected to score best on new groups."""
