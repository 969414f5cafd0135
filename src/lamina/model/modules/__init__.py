"""Layers and hooks of torch, imported only where a network is built."""
