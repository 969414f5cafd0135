"""Files for people, made of predictions: overlays, objects, masks in the input's own format."""
