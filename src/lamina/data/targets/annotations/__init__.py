"""Targets that are put together: a mask file for each class, polygons and coded masks."""
