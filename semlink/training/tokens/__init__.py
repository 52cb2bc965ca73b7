"""Training the code of tokens: its clips, its linear beginning, what is minimised."""
