"""The other side of PyTorch's half, in a process of its own.

In the folder in which it is run, it takes the weights in carried.safetensors, in Keras's layout,
and writes the network that has them as twin.onnx and as twin.keras.
"""

from paired.imports import quiet_import

import numpy as np
from safetensors.numpy import load_file

with quiet_import():
    import keras

weights = load_file("carried.safetensors")
net = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="image"),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv"),
        keras.layers.MaxPooling2D(name="pool"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(10, name="output"),
    ]
)
for layer in ("conv", "output"):
    net.get_layer(layer).set_weights([weights[f"{layer}.weight"], weights[f"{layer}.bias"]])
net.compile("adam")
net.optimizer.build(net.trainable_variables)
net.optimizer.iterations.assign(200)  # to be found again on the other side
net(np.zeros((1, 8, 8, 1), "float32"))  # the exporter refuses a network that was never called
net.export("twin.onnx", format="onnx", verbose=False)
net.save("twin.keras")
