"""The way from a model to spikes in three calls: `load`, `convert`, `simulate`."""
