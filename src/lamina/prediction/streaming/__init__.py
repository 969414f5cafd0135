"""Prediction of images and volumes larger than memory, resumable."""
