"""Prediction by many workers: tasks of less than a kilobyte, and one process that notes them."""
