"""The prediction folder: probabilities, masks and their manifest."""
