"""Demos: every verb once, on synthetic data."""
