"""Trained members as files that run where neither lamina nor torch is installed."""
