"""Search with a minimum size per connected component."""
