"""Synthetic data of the jobs: small, seeded, made with numpy alone."""
