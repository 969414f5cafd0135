"""Training state and checkpoints on disk."""
