"""Damage, kills, limits and untrusted files, through the commands as people run them."""
