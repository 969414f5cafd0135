"""What was found in the files of a data set, kept so that they are read once."""
