"""The Brian2 backend."""
