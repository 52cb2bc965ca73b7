"""Other people's models: two networks that are no code of this package, as a scheme."""
