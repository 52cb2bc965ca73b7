"""What is read from a results folder is looked at before anything relies on it."""
