"""From a recipe and data to a bundle; the only package that imports accelerate."""
