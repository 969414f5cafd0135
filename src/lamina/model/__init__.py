"""Networks, losses, metrics and optimizers."""
