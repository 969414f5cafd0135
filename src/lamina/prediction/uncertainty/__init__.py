"""How uncertain predictions are: maps of entropy, and how members and views agree."""
