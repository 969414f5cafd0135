"""The cases of a prediction: what the command line named, opened."""
