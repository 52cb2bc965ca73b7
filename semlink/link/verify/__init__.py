"""Whether somebody else's results hold here: their folder looked over, and points of it computed again."""
