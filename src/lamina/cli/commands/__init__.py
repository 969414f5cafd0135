"""Commands of several groups, one file for each group."""
