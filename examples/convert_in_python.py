"""Convert the network of the demo in Python and look at the result; nothing has to be trained or written for it."""

import numpy as np

import snntoolbox as stb
from snntoolbox.workflow import demo

x_test, y_test, x_norm = (np.load(demo.folder() / name)["arr_0"] for name in demo.DATA)

# The whole way: a model (a file, or a live torch.nn.Module or keras.Model), its graph, a spiking network, its answers.
graph = stb.load(demo.folder() / "digits_cnn.onnx")
snn = stb.convert(graph, calibration_data=x_norm)
result = stb.simulate(snn, x_test, duration=64)
print(f"accuracy of the spiking network after 64 steps: {result.accuracy(y_test):.3f}")

# The graph computes what the model does, so it gives the accuracy to compare with.
outputs = graph.run(x_test)
print(f"accuracy of the artificial network: {np.mean(outputs.argmax(axis=1) == y_test):.3f}")

# The prediction is there after each step, and it is soon good.
for step in (4, 8, 16, 32, 64):
    print(f"  after {step:2} steps: {np.mean(result.predictions_per_step[step - 1] == y_test):.3f}")

# How busy each population of neurons is.
for name in snn.populations:
    print(f"  {name:12} {np.mean(result.rates(name)):.3f} spikes per neuron and step")

# Choices of the conversion are arguments; the names of all are the fields of stb.Recipe.
gated = stb.convert(graph, calibration_data=x_norm, max_pool="gate", percentile=99.0)
result = stb.simulate(gated, x_test[:100], duration=16)
print(f"with gated max pooling, 100 samples, 16 steps: {result.accuracy(y_test[:100]):.3f}")
