"""Why rates differ from activations: the error of every layer, split exactly into what caused it."""
