"""Files made from predictions: submissions, objects, flattened fragments."""
