"""Training the delta-sigma codec on tokens: where it begins, what is minimised."""
