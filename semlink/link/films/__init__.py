"""What a run keeps of each point to be looked at: the first clip of the first trial, whole, coded for the eye."""
