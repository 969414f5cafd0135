"""Decisions on probabilities, the search for them, submissions and objects."""
