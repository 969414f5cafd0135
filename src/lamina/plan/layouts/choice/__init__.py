"""What a choice among fitting layouts rests on: contents of labels, and tables that repeat them."""
