"""What is done to data once before training, and kept."""
