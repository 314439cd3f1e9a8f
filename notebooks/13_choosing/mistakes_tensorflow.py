"""A beginner's ten mistakes in TensorFlow and Keras; `mistakes.py` says how each is judged."""

from paired import imports

from mistakes import IMAGES, X, Y, show, slip

with imports.quiet_import():
    import keras
    import tensorflow as tf
from keras import layers


def net(inputs=64, hidden=32, end=None):
    """A perceptron, as the tutorials write it."""
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(10, activation=end),
        ]
    )


def conv_net():
    """A convolution, flattened into a dense layer."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def train(model, loss):
    """Train for ten epochs; returns the accuracy."""
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    model.fit(X, Y, epochs=10, verbose=0)
    return model.evaluate(X, Y, verbose=0)[1]


@slip(
    "A dense layer is made for 60 inputs and gets 64.",
    asked="keras-team/keras/issues/19367",
    what="to have value 60, but received input with shape (32, 64)",
    where="layer 'dense'",
)
def features():
    model = net(inputs=60, end="softmax")
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)


@slip(
    "Images with channels first go into a convolution that wants channels last.",
    asked="chsasank/Traffic-Sign-Classification.keras/issues/4",
    what="to have value 3, but received input with shape (32, 3, 8, 8)",
    where="layer 'conv2d'",
)
def channels():
    model = conv_net()
    model.predict(IMAGES[:32].transpose(0, 3, 1, 2), verbose=0)


@slip(
    "One image, without a batch, goes into a network.",
    asked="qubvel/segmentation_models/issues/499",
    what="Expected shape (None, 8, 8, 3), but input has incompatible shape (8, 8, 3)",
    where="model.predict(image",
)
def batch():
    model = conv_net()
    image = IMAGES[0]
    model.predict(image, verbose=0)


@slip(
    "The labels are class numbers, and the loss is the one for one-hot labels.",
    note="Labels that are floats are accepted, and taken for class numbers.",
    asked="tensorflow/tensorflow/issues/52245",
    what="target.shape=(32,), output.shape=(32, 10)",
    where="target",
)
def labels():
    model = net(end="softmax")
    model.compile("sgd", "categorical_crossentropy")
    model.fit(X, Y, verbose=0)


@slip(
    "The network ends without a softmax, and the loss expects probabilities, its default.",
    note="A softmax before a loss that expects logits brings a warning.",
    asked="keras-team/keras-hub/pull/1008",
)
def logits():
    keras.utils.set_random_seed(0)
    right = train(net(end="softmax"), "sparse_categorical_crossentropy")
    keras.utils.set_random_seed(0)
    wrong = train(net(), "sparse_categorical_crossentropy")
    return f"accuracy {wrong:.2f} instead of {right:.2f} after ten epochs"


@slip(
    "The network is called before the tape begins.",
    note="There is nothing to set to zero: a tape gives new gradients each time.",
    asked="tensorflow/tensorflow/issues/54341",
    what="No gradients provided for any variable",
)
def gradients():
    model, optimizer = net(), keras.optimizers.SGD(0.5)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    y_hat = model(X)
    with tf.GradientTape() as tape:
        loss = loss_fn(Y, y_hat)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))


@slip(
    "The loss of a step is kept as a NumPy number, inside a `tf.function`.",
    note="Outside of a `tf.function` it works.",
    asked="tensorflow/tensorflow/issues/31439",
    what="has no attribute 'numpy'",
    where="losses.append(loss.numpy())",
)
def numpy():
    model, losses = net(), []
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(x, y):
        loss = loss_fn(y, model(x))
        losses.append(loss.numpy())

    step(X, Y)


@slip(
    "One number of a weight is set by its index.",
    asked="tensorflow/tensorflow/issues/35156",
    what="does not support item assignment",
    where="w[0] = 1.0",
)
def assign():
    w = tf.Variable(tf.zeros(3))
    w[0] = 1.0


@slip(
    "The network is made anew, and not compiled with its optimiser again.",
    asked="ageron/handson-ml2/issues/175",
    what="before using the model",
    where="model.fit(X, Y",
    do="You must call `compile()`",
)
def optimiser():
    model = net(end="softmax")
    train(model, "sparse_categorical_crossentropy")
    model = net(end="softmax")
    model.fit(X, Y, verbose=0)


@slip(
    "Weights of one network are loaded into a wider one.",
    asked="keras-team/keras/issues/12502",
    what="variable.shape=(64, 64), Received: value.shape=(64, 32)",
    where="/kernel",
)
def weights():
    net(hidden=32).save_weights("net.weights.h5")
    model = net(hidden=64)
    model.load_weights("net.weights.h5")


show()
