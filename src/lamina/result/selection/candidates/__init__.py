"""The decisions that a choice is made among, each fitted and judged on histograms."""
