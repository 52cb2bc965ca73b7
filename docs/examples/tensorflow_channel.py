"""A Rayleigh channel written in TensorFlow, for the bridge.

    channel: {kind: tensorflow, target: docs/examples/tensorflow_channel.py:rayleigh}

Needs the extra `semlink[tensorflow]`.
"""

import tensorflow as tf  # noqa: TID253 - this file is for TensorFlow only


def rayleigh(iq, noise_var, seed):
    """One complex gain for the whole clip, then noise; all chance from `seed`."""
    gain = complex_normal((1, 1), seed)
    noise = complex_normal(tf.shape(iq), seed + 1)
    return gain * iq + noise * tf.cast(tf.sqrt(noise_var), tf.complex64)


def complex_normal(shape, seed):
    """CN(0, 1): variance 1/2 in each real dimension."""
    parts = tf.random.stateless_normal(tf.concat([shape, [2]], 0), seed) * 0.5**0.5
    return tf.complex(parts[..., 0], parts[..., 1])


class GlobalAwgn:
    """White noise from TensorFlow's global generator, as layers of an older Sionna draw it."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, iq, noise_var):
        parts = tf.random.normal(tf.concat([tf.shape(iq), [2]], 0)) * 0.5**0.5
        noise = tf.complex(parts[..., 0], parts[..., 1])
        return iq + self.scale * noise * tf.cast(tf.sqrt(noise_var), tf.complex64)
