"""Scoring of cases one by one, in this process or in others."""
