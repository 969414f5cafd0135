"""Damaged files for every reader and loader: the same data, or one LaminaError, and no hang."""
