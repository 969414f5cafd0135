"""What is measured of a data folder and of the machine before anything is decided."""
