"""From probabilities to what people need."""
