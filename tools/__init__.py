"""Scripts of the workshop: what keeps pages, changelog and floors true. Not part of the package."""
