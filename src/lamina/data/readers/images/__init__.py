"""PNG and JPEG images."""
