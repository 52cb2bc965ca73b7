"""How far a run is: its plan, what is done, who is at it, and several folders joined."""
