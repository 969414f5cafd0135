"""Which devices train: one, several with a fold each, or several that share every batch."""
