"""Synthetic data of the five jobs: small, seeded, made with numpy alone."""
