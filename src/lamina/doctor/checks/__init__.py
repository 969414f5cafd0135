"""One file per check of machine, recipe and data."""
