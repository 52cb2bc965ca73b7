"""The points of one scenario shared out among several runs."""
