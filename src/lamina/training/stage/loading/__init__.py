"""From draws to batches."""
