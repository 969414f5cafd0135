"""What training would see, as pictures, before it is started."""
