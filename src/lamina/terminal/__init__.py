"""What commands say: aligned columns of text, and the log of a folder."""
