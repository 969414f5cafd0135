"""Arithmetic on pixel boxes and masks: no files, no torch."""
