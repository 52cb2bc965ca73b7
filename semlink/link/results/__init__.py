"""A folder of results: rows, points, clips, manifest."""
