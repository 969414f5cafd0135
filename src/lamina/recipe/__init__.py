"""The waist: the only package that knows all families of components."""
