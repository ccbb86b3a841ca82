"""A functional Keras network as the same network of PyTorch: equal weights, equal values, channels first."""

import keras
import torch
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softmax": lambda x: functional.softmax(x, dim=1),
    "tanh": torch.tanh,
    "linear": lambda x: x,
}


def torch_network(network: keras.Model) -> nn.Module:
    """Translate a network layer by layer.

    Args:
        network: one input, one output; images are (B, H, W, 3) there and (B, 3, H, W) here.

    Raises:
        TypeError: if it has a layer that has no counterpart here.
    """
    operations = [each for each in network.operations if not isinstance(each, keras.layers.InputLayer)]
    return _Network(network.inputs[0], network.outputs[0], operations)


class _Network(nn.Module):
    def __init__(self, image, output, operations):
        super().__init__()
        self.parts = nn.ModuleList(_part(each) for each in operations)
        self.wiring = [
            ([id(each) for each in _as_list(operation.input)], id(operation.output)) for operation in operations
        ]
        self.ends = id(image), id(output)

    def forward(self, images):
        values = {self.ends[0]: images}
        for part, (inputs, output) in zip(self.parts, self.wiring, strict=True):
            values[output] = part(*[values[each] for each in inputs])
        return values[self.ends[1]]


class _Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


class _Padded(nn.Module):
    """A module whose output has ceil(size / stride) pixels, as Keras's padding `same`: more zeros come after."""

    def __init__(self, module, kernel, strides, value=0.0):
        super().__init__()
        self.module, self.kernel, self.strides, self.value = module, kernel, strides, value

    def forward(self, maps):
        missing = [
            max(0, (-(-size // stride) - 1) * stride + kernel - size)
            for size, kernel, stride in zip(maps.shape[2:], self.kernel, self.strides, strict=True)
        ]
        widths = [width for each in reversed(missing) for width in (each // 2, each - each // 2)]
        return self.module(functional.pad(maps, widths, value=self.value) if any(widths) else maps)


def _part(operation):
    """The torch.nn.Module of one layer or operation."""
    layers = keras.layers
    match operation:
        case layers.SeparableConv2D() | layers.Conv2DTranspose() | layers.Conv2D() | layers.Dense():
            return nn.Sequential(_weighted(operation), _activation(operation.activation))
        case layers.BatchNormalization():
            return _normalization(operation)
        case layers.MaxPooling2D() | layers.AveragePooling2D():
            return _pooling(operation)
        case layers.GlobalAveragePooling2D():
            return _Function(lambda maps: maps.mean(dim=(2, 3)))
        case layers.LeakyReLU():
            return nn.LeakyReLU(operation.negative_slope)
        case layers.ReLU():
            return nn.ReLU()
        case layers.Activation():
            return _activation(operation.activation)
        case layers.Add():
            return _Function(lambda *maps: sum(maps[1:], maps[0]))
        case layers.Concatenate():
            return _Function(lambda *maps: torch.cat(maps, dim=1))
        case layers.Flatten():
            return _Function(lambda maps: maps.permute(0, 2, 3, 1).flatten(1) if maps.ndim == 4 else maps.flatten(1))
        case layers.Dropout():
            return nn.Dropout(operation.rate)
        case layers.ZeroPadding2D():
            (top, bottom), (left, right) = operation.padding
            return nn.ZeroPad2d((left, right, top, bottom))
        case layers.Rescaling():
            scale, offset = (torch.tensor(each).reshape(-1, 1, 1) for each in (operation.scale, operation.offset))
            return _Affine(scale, offset)
        case layers.Normalization():
            mean, variance = (
                torch.tensor(keras.ops.convert_to_numpy(each)) for each in (operation.mean, operation.variance)
            )
            deviation = variance.sqrt().reshape(-1, 1, 1)
            return _Affine(1 / deviation, -mean.reshape(-1, 1, 1) / deviation)
        case layers.Reshape():  # numbers (B, N) to maps of one pixel, (B, N, 1, 1)
            return _Function(lambda numbers: numbers[:, :, None, None])
        case layers.Lambda():  # l2_normalize is the one of these networks
            return _Function(lambda embeddings: functional.normalize(embeddings, eps=1e-6))
    name = type(operation).__name__
    if name == "CustomScaleLayer":  # of keras.applications' Inception-ResNet-v2
        return _Function(lambda first, second: first + second * operation.scale)
    if name == "Flip":
        return _Function(lambda maps: maps.flip(1))
    if name == "Pad":
        before, after = operation.pad_width[-1]
        return _Function(lambda maps: functional.pad(maps, (0, 0, 0, 0, before, after)))
    raise TypeError(f"expected a layer with a counterpart in PyTorch, got {name}")


class _Affine(nn.Module):
    def __init__(self, scale, offset):
        super().__init__()
        self.register_buffer("scale", scale.float())
        self.register_buffer("offset", offset.float())

    def forward(self, images):
        return images * self.scale + self.offset


def _weighted(layer):
    kernel, *rest = [torch.tensor(array) for array in layer.get_weights()]
    layers = keras.layers
    match layer:
        case layers.Dense():
            return _filled(nn.Linear(*kernel.shape, bias=layer.use_bias), kernel.T, rest)
        case layers.SeparableConv2D():
            channels, filters = kernel.shape[2], rest[0].shape[3]
            depthwise = nn.Conv2d(channels, channels, layer.kernel_size, groups=channels, padding="same", bias=False)
            pointwise = nn.Conv2d(channels, filters, 1, bias=layer.use_bias)
            return nn.Sequential(
                _filled(depthwise, kernel.permute(2, 3, 0, 1), []),
                _filled(pointwise, rest[0].permute(3, 2, 0, 1), rest[1:]),
            )
        case layers.Conv2DTranspose():
            padding = 1 if layer.padding == "same" else 0  # a kernel of 4 and a stride of 2 double the size
            filters, channels = kernel.shape[2:]
            module = nn.ConvTranspose2d(
                channels, filters, layer.kernel_size, layer.strides, padding, bias=layer.use_bias
            )
            return _filled(module, kernel.permute(3, 2, 0, 1), rest)
    same, strided = layer.padding == "same", layer.strides != (1, 1)
    padding = "same" if same and not strided else 0
    channels, filters = kernel.shape[2:]
    module = nn.Conv2d(
        channels, filters, layer.kernel_size, layer.strides, padding, layer.dilation_rate, bias=layer.use_bias
    )
    module = _filled(module, kernel.permute(3, 2, 0, 1), rest)
    return _Padded(module, layer.kernel_size, layer.strides) if same and strided else module


def _filled(module, kernel, bias):
    with torch.no_grad():
        module.weight.copy_(kernel)
        for each in bias:
            module.bias.copy_(each)
    return module


def _normalization(layer):
    channels = layer.moving_mean.shape[0]
    module = nn.BatchNorm2d(channels, layer.epsilon, 1 - layer.momentum)
    for weight, values in ((module.weight, layer.gamma), (module.bias, layer.beta)):
        if values is None:
            weight.requires_grad_(False)
        else:
            weight.data.copy_(torch.tensor(keras.ops.convert_to_numpy(values)))
    return module


def _pooling(layer):
    largest = isinstance(layer, keras.layers.MaxPooling2D)
    if largest:
        module = nn.MaxPool2d(layer.pool_size, layer.strides)
        padded = _Padded(module, layer.pool_size, layer.strides, -torch.inf)
        return padded if layer.padding == "same" else module
    half = layer.pool_size[0] // 2 if layer.padding == "same" else 0
    return nn.AvgPool2d(layer.pool_size, layer.strides, half, count_include_pad=False)


def _activation(function):
    return _Function(ACTIVATIONS[keras.activations.serialize(function)])


def _as_list(inputs):
    return inputs if isinstance(inputs, list) else [inputs]
