"""Volumes at one spacing, resampled region by region."""
