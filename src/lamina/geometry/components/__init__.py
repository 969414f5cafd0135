"""Connected components of masks and volumes."""
