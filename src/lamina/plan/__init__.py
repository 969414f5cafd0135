"""From a folder of data to a recipe with the reason of every value."""
