"""Writes files as older Keras did: an ``.h5`` with config and weights as attributes and groups."""

import json

import h5py
import numpy as np


def layer(kind, name, inbound=None, **config):
    """A layer's entry in a config, with its calls where the model is functional."""
    entry = {"class_name": kind, "config": {"name": name, **config}}
    return entry if inbound is None else {**entry, "name": name, "inbound_nodes": inbound}


def sequential(*layers, name="seq"):
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def functional(layers, inputs, outputs, kind="Model"):
    ends = {"input_layers": [[n, 0, 0] for n in inputs], "output_layers": [[n, 0, 0] for n in outputs]}
    return {"class_name": kind, "config": {"name": "net", "layers": layers, **ends}}


def write_weights(file, weights):
    """Groups by layer: {'conv': {'conv/kernel:0': array}}, or the same under pieces of attributes."""
    file.attrs["layer_names"] = np.array([n.encode() for n in weights] or [], dtype="S")
    for name, values in weights.items():
        group = file.create_group(name)
        group.attrs["weight_names"] = np.array([n.encode() for n in values], dtype="S")
        for weight, value in values.items():
            group.create_dataset(weight, data=value)


def write_h5(path, config, weights, version="2.2.4", backend="tensorflow"):
    """A whole model in one file."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        for name, value in (("keras_version", version), ("backend", backend)):
            if value is not None:
                file.attrs[name] = value.encode()
        write_weights(file.create_group("model_weights"), weights)
    return path
