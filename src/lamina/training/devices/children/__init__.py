"""Processes of several devices, started and fed by the one that the user started."""
