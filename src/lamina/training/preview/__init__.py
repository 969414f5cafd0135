"""What training would see, and what it gets wrong, as pictures."""
