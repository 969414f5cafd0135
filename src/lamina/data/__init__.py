"""From files to what a network sees."""
