"""All movement of pixels in one step: where each comes from, and how it is resampled."""
