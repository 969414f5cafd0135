"""Whether a label has the orientation of its image."""
