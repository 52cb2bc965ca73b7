"""Training harness: recipes, data, loop, model cards."""
