"""A local page on which runs and predictions are looked at: cases, decisions, volumes, curves."""
