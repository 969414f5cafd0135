"""Cases as a report shows them: which ones, and their pictures."""
