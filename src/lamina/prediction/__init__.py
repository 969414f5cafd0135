"""From trained members and volumes of any size to verified predictions on disk."""
