"""Trained members in a program: arrays in; masks, objects and pictures out."""
