"""One stage of training: batches, optimization steps, validation."""
