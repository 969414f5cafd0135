"""Optimiser steps: who computes what of them, how they are taken, what they come to."""
