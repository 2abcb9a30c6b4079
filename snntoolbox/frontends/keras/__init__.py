"""The Keras 3 frontend; Keras itself is imported when a model is opened."""

from snntoolbox.frontends.keras.frontend import KerasFrontend

__all__ = ["KerasFrontend"]
