"""Pythons other than ours: found, checked, and processes of them that answer."""
