"""From a region of a case to the array that a network sees."""
