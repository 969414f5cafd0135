"""The console and Python blocks of the documents: run, compared, and rewritten from real runs."""
