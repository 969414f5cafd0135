"""Folders that can be looked at: runs and predictions, read again as they grow."""
