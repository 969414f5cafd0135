"""What several tests need: recipes that train in seconds, small bundles, prediction folders."""
