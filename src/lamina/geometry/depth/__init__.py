"""Shifting and scaling the depth axis of a stack."""
