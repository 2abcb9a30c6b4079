"""NEST, driven through PyNEST."""
