"""PNG and TIFF files written without an imaging library."""
