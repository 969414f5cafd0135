"""Volumes computed from other volumes as they are read."""
