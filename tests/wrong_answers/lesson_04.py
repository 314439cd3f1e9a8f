"""Wrong answers to the exercise of lesson 04 that are numbers: its first task, in both halves."""

import math

from wrong_answers import WrongAnswers


def add_predictions(wrong: WrongAnswers, channels_first: bool) -> None:
    def shape(pixels: int) -> tuple[int, ...]:
        return (32, 8, pixels, pixels) if channels_first else (32, pixels, pixels, 8)

    right_shape, right_loss = shape(4), math.log(10)
    for count, message in {
        1352: "counts the weights and leaves out the biases.",
        5210: "fits a network without pooling, which leaves 4 x 4 pixels.",
        80: "is that of the convolution alone.",
        1290: "is that of the last layer alone.",
        1371: "is not 1371.",
        "1370": "must be a number; it is '1370'.",
        math.nan: "must be a number; it is nan.",
        (1370,): "must be a number; it is (1370,).",
        None: "must be a number; it is None.",
    }.items():
        answers = count, right_shape, right_loss
        wrong.add("predict", *answers, message=f"`num_parameters` {message}")
    for given, message in {
        (32, 4, 4, 8): "is the other framework's: where are the channels in this?",
        (32, 8, 4, 4): "is the other framework's: where are the channels in this?",
        shape(8): "is the shape before pooling.",
        shape(3): "forgets the padding of the convolution.",
        right_shape[1:]: "is that of one image; the batch has 32.",
        (32, 128): "is the shape after Flatten.",
        (32, 16, 4, 4): "is not (32, 16, 4, 4): go from layer to layer, axis by axis.",
        128: "is not 128: go from layer to layer, axis by axis.",
    }.items():
        if given != right_shape:
            wrong.add("predict", 1370, given, right_loss, message=f"`feature_shape` {message}")
    for loss, message in {
        0.1: "is the probability of the right class; the loss is minus its logarithm.",
        -2.3: "has the wrong sign: the logarithm of a probability is negative.",
        3.32: "is in bits; both frameworks use the natural logarithm.",
        1: "uses the logarithm to base 10; both frameworks use the natural one.",
        0.0: "is not 0.0.",
    }.items():
        wrong.add("predict", 1370, right_shape, loss, message=f"`loss` {message}")
