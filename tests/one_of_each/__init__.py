"""One component of each kind as files of their own, for ``test_one_of_each.py``."""
