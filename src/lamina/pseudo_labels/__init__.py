"""Pseudo-labels: labels that trained members assign to unlabelled images."""
