"""Layouts of data folders: patterns of file names, and which pattern a folder follows."""
