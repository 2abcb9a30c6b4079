"""Samples and sweep points spread over processes of this machine or of a cluster."""
