"""A digital base, and an analogue layer on the same channel uses."""
