"""Little Caffe models for tests: the text of a net, and a .caffemodel of given weights."""

from __future__ import annotations

import numpy as np

from snntoolbox.frontends.caffe.schema import new_message


def stored(weights, kind="layer", old=False):
    """The bytes of a .caffemodel: arrays by layer, in messages of either version, with old shapes of four axes."""
    net = new_message("StoredNet")
    for name, arrays in weights.items():
        layer = getattr(net, kind).add(name=name)
        for array in arrays:
            blob = layer.blobs.add()
            array = np.asarray(array)
            (blob.double_data if array.dtype == np.float64 else blob.data).extend(array.ravel().tolist())
            if old:
                sizes = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sizes
            else:
                blob.shape.dim.extend(array.shape)
    return net.SerializeToString()


def data(*shape, top="data"):
    """The text of an input layer; `shape` has the batch in front."""
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "{top}" type: "Input" top: "{top}" input_param {{ shape {{ {dims} }} }} }}\n'


def layer(kind, bottoms, tops, settings="", name=None):
    """The text of a layer."""
    wires = "".join(f' bottom: "{b}"' for b in bottoms.split()) + "".join(f' top: "{t}"' for t in tops.split())
    return f'layer {{ name: "{name or tops.split()[0]}" type: "{kind}"{wires} {settings} }}\n'


def random(*shape, seed=0, scale=0.5):
    return np.float32(np.random.default_rng((seed, *shape)).normal(size=shape) * scale)


def write(folder, text, weights, name="net", **options):
    """Both files of a model; the path of the text."""
    (folder / f"{name}.prototxt").write_text(text)
    (folder / f"{name}.caffemodel").write_bytes(stored(weights or {"": [np.zeros(1, "f4")]}, **options))
    return folder / f"{name}.prototxt"
