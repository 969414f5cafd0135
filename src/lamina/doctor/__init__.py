"""What is wrong with a machine, a recipe and data, and what to do about it.

To add a check: write its file here, then name it in ``run``.
"""
