"""The page of reliability: which cases are tested, and by which tests."""
