"""SEG-Y volumes."""
