"""A local page on which a run is looked at: cases, decisions, volumes, curves of training."""
