"""The demos: every verb once, on synthetic data."""
