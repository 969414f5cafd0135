"""Type and range of the images that a training learnt from, and others read as these are."""
