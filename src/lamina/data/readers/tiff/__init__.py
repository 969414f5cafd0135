"""TIFF images and stacks."""
