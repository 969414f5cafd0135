"""What synthetic data is composed of: textures, defects, faults, letters."""
