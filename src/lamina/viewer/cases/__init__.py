"""Cases as the pages need them: scored, read by regions, drawn as pictures."""
