"""Masks in the input's own format and place."""
