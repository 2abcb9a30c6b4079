"""Pictures of networks and of their results, drawn from plain arrays; matplotlib is imported when one is drawn."""
