"""Decisions that are optimal in expectation under calibrated probabilities."""
