"""From files to the arrays that a network sees."""
