"""Error messages and explanations about recipes."""
