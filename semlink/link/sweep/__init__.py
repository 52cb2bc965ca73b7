"""From a scenario to finished points: the grid, the workers, the trials."""
