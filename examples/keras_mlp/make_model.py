"""Train a Keras MLP with dropout and softmax on scikit-learn's digits; writes digits_mlp.keras and the data here."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")  # any backend of Keras will do
os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for a network this small

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).resolve().parent


def split():
    """Pixels in [0, 1], (samples, 64), and classes: to train with, to test with."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=360, random_state=0, stratify=y)
    return x_train, y_train, x_test, y_test


def build():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(128, activation="relu", name="hidden_1"),
            layers.Dropout(0.2),
            layers.Dense(64, activation="relu", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="classes"),
        ]
    )


def main():
    keras.utils.set_random_seed(0)
    x_train, y_train, x_test, y_test = split()
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=30, verbose=0)
    print(f"accuracy {model.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
    model.save(FOLDER / "digits_mlp.keras")
    np.savez_compressed(FOLDER / "x_test.npz", x_test)
    np.savez_compressed(FOLDER / "y_test.npz", y_test)
    np.savez_compressed(FOLDER / "x_norm.npz", x_train)  # thresholds are set by the training data, never the test data


if __name__ == "__main__":
    main()
