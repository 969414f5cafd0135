"""Trained networks that predict: loading them, and which may predict a case."""
