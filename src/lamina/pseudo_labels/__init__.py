"""Labels that trained members assign to unlabelled images."""
