"""Which coding a scheme agrees on: a model of the link, and what damage costs."""
