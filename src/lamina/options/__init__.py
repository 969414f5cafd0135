"""Options as people write them, and what is wrong with them in words."""
