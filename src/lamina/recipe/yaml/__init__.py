"""Recipes as YAML: reading with line numbers, merging, overriding, writing."""
