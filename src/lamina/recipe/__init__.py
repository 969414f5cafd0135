"""Every option in one checked value; the only package that knows all families."""
