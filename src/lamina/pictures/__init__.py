"""Images and masks as pictures: grey levels, colours of classes, outlines."""
