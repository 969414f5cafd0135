"""What a training takes from earlier ones: members, weights and pseudo-labels, without a leak."""
