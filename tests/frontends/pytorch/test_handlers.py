"""Each handler of the PyTorch frontend, and the combinations that matter, against torch's own output."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snntoolbox.frontends.pytorch import TorchFrontend

FRONTEND = TorchFrontend()
IMAGE = (4, 9, 7)


class Function(nn.Module):
    """A module whose forward is a function of itself and the inputs."""

    def __init__(self, function: Callable, **parts) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with random normalisation statistics and affine parameters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats:
                layer.running_mean.normal_(generator=generator)
                layer.running_var.uniform_(0.3, 2, generator=generator)
                if layer.affine:
                    layer.weight.normal_(generator=generator)
                    layer.bias.normal_(generator=generator)
            if isinstance(layer, nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.modules.instancenorm._InstanceNorm):
                for parameter in layer.parameters():
                    parameter.normal_(generator=generator)
    return module


def check(module, shape=None, *, tolerance=1e-5, count=3, seed=0):
    """The graph's outputs are those of torch."""
    model = FRONTEND.open(module, input_shape=shape)
    graph = FRONTEND.parse(model)
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(count, *graph.shapes[name])).astype(np.float32) for name in graph.inputs]
    expected = FRONTEND.predict(model, *x)
    values = graph.values(*x)
    assert len(expected) == len(graph.outputs)
    for name, wanted in zip(graph.outputs, expected, strict=True):
        assert values[name].shape == wanted.shape
        scale = max(np.abs(wanted).max(), 1e-3)
        assert np.abs(values[name] - wanted).max() <= tolerance * scale
    return graph


def fn(function, **parts):
    return lambda: Function(function, **parts)


def seq(*layers):
    return lambda: nn.Sequential(*(layer() for layer in layers))


def of(kind, *args, **kwargs):
    return lambda: kind(*args, **kwargs)


torch.manual_seed(0)


def _written(x):
    y = x.relu()
    y[:, 1:3, ::2] = 2 * x[:, :2, ::2]
    y[:, 0] = 5
    y[:, :, 1] = x[:, :, 0]
    return y


def _by_both(x, variance, mean):
    return (x - mean) * torch.rsqrt(variance + 0.1)


def _by_deviation(x, deviation, mean):
    return (x - mean) / deviation


def _written_norm(c):
    return c / torch.sqrt(c.pow(2).mean(-1, keepdim=True) + 1e-5)


def _placed(x):
    y = torch.zeros(x.size(0), 5, 3, 4)
    y[:, 1:3] = x
    return y


POSITIONS = torch.tensor([3, 0, 2])
SEEN = torch.tensor(np.tri(6, dtype=bool))


def attends(s, x):
    return F.scaled_dot_product_attention(x, x, x, attn_mask=s.m)


def heads(function, batch_first=True, **settings):
    """A module with attention of two heads and the mask of a causal one."""

    def made():
        layer = nn.MultiheadAttention(4, 2, batch_first=batch_first, **settings)
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.6)
        return Function(function, m=layer, c=torch.full((3, 3), -torch.inf).triu(1))

    return made


def torch_drops_the_mask(s, x):
    """With is_causal and no shares asked for, torch looks at no mask."""
    return s.m(x, x, x, attn_mask=s.c.tril() - s.c.exp(), is_causal=True, need_weights=False)[0]


CASES = {
    # attention over what was learned, lengths
    "learned_query": (heads(lambda s, x: s.m(s.c[:2, :1].exp().expand(len(x), 2, 4), x, x)[0]), (3, 4)),
    "learned_memory": (
        fn(lambda s, x: F.scaled_dot_product_attention(x, s.k, s.v), k=torch.randn(1, 5, 4), v=torch.randn(1, 5, 2)),
        (3, 4),
    ),
    "a_key_of_its_own": (heads(lambda s, x: s.m(x, x, x)[0], add_bias_kv=True, add_zero_attn=True), (3, 4)),
    "torch_drops_the_mask": (heads(torch_drops_the_mask), (3, 4)),
    "normalize": (fn(lambda s, x: F.normalize(x, dim=1)), IMAGE),
    "norm": (fn(lambda s, x: x / x.norm(dim=(2, 3), keepdim=True).clamp_min(1e-9)), IMAGE),
    "softmax_in_pieces": (fn(lambda s, x: (e := (x - x.amax(1, keepdim=True)).exp()) / e.sum(1, keepdim=True)), IMAGE),
    # weights
    "linear": (of(nn.Linear, 6, 4), (6,)),
    "linear_no_bias_on_matrix": (of(nn.Linear, 6, 4, bias=False), (3, 6)),
    "addmm": (
        fn(lambda s, x: torch.addmm(s.b, x, s.w, beta=0.5, alpha=2.0), b=torch.randn(4), w=torch.randn(6, 4)),
        (6,),
    ),
    "mm": (fn(lambda s, x: torch.mm(x, s.w), w=torch.randn(6, 4)), (6,)),
    "matmul_right": (fn(lambda s, x: x @ s.w, w=torch.randn(6, 4)), (2, 3, 6)),
    "matmul_left": (fn(lambda s, x: s.w @ x, w=torch.randn(4, 6)), (2, 6, 3)),
    "matmul_vector": (fn(lambda s, x: x @ s.w, w=torch.randn(6)), (3, 6)),
    "matmul_of_two": (fn(lambda s, x: x @ (x * s.w).transpose(-1, -2), w=torch.randn(6)), (2, 3, 6)),
    "bmm": (fn(lambda s, x: torch.bmm(x, torch.tanh(x).transpose(1, 2))), (3, 6)),
    "matmul_turned": (fn(lambda s, x: x @ x.mT @ s.w.mT, w=torch.randn(5, 3)), (3, 6)),
    "attention": (fn(lambda s, x: F.scaled_dot_product_attention(x, x * s.w, x + s.w), w=torch.randn(6)), (2, 4, 6)),
    "attention_scaled": (fn(lambda s, x: F.scaled_dot_product_attention(x, x, x, scale=0.3)), (4, 6)),
    "attention_grouped": (
        fn(lambda s, x: F.scaled_dot_product_attention(x, x[:, :2], x[:, 2:], enable_gqa=True)),
        (4, 3, 6),
    ),
    "attention_causal": (fn(lambda s, x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), (2, 4, 6)),
    "attention_mask": (fn(attends, m=SEEN[:4, :4]), (2, 4, 6)),
    "attention_mask_of_a_batch": (fn(attends, m=SEEN[None, None, :4, :4]), (2, 4, 6)),
    "attention_added": (fn(attends, m=torch.full((2, 4, 4), -torch.inf).triu(1) + torch.randn(4)), (2, 4, 6)),
    "attention_given": (fn(lambda s, x: F.scaled_dot_product_attention(x, x, x, x[:, :1, :1] @ x.mT)), (2, 4, 6)),
    "multi_head": (heads(lambda s, x: s.m(x, x, x)[0]), (3, 4)),
    "multi_head_alone": (heads(lambda s, x: s.m(x, x, x, need_weights=False)[0], bias=False), (3, 4)),
    "multi_head_steps_first": (heads(lambda s, x: s.m(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), False), (3, 4)),
    "multi_head_others": (heads(lambda s, x: s.m(x, x[:, :2, :3], x[:, :2, 1:])[0], kdim=3, vdim=3), (3, 4)),
    "multi_head_shares": (heads(lambda s, x: s.m(x, x, x)[1]), (3, 4)),
    "multi_head_causal": (
        heads(lambda s, x: s.m(x, x, x, attn_mask=s.c, is_causal=True, need_weights=False)[0]),
        (3, 4),
    ),
    "encoder_layer": (of(nn.TransformerEncoderLayer, 4, 2, 8, batch_first=True, activation="gelu"), (3, 4)),
    "masked_fill": (fn(lambda s, x: x.masked_fill(s.m, 0.3), m=SEEN[:4]), (2, 4, 6)),
    "masked_softmax": (fn(lambda s, x: x.masked_fill(~s.m, -torch.inf).softmax(-1), m=SEEN), (6, 6)),
    "where": (fn(lambda s, x: torch.where(s.m, x, x.flip(1)), m=SEEN[:4]), (4, 6)),
    "where_constant": (fn(lambda s, x: torch.where(s.m, s.m * 2.0, x), m=SEEN[:4]), (4, 6)),
    "einsum": (fn(lambda s, x: torch.einsum("bhid,bhjd,hde->bhije", x, x, s.w), w=torch.randn(2, 6, 2)), (2, 4, 6)),
    "power": (fn(lambda s, x: x**2 + x.pow(3) + x.square()), (6,)),
    "glu": (of(nn.GLU, 1), (4, 3)),
    "swiglu": (fn(lambda s, x: F.silu(s.a(x)) * s.b(x), a=nn.Linear(6, 4), b=nn.Linear(6, 4)), (3, 6)),
    "matmul_vector_left": (fn(lambda s, x: s.w @ x, w=torch.randn(6)), (6, 3)),
    "conv1d": (of(nn.Conv1d, 4, 6, 3, stride=2, padding=2, dilation=2), (4, 11)),
    "conv2d": (of(nn.Conv2d, 4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), IMAGE),
    "conv2d_same_even_kernel": (of(nn.Conv2d, 4, 6, (4, 3), padding="same", dilation=(1, 2)), IMAGE),
    "conv2d_valid": (of(nn.Conv2d, 4, 6, 3, padding="valid", bias=False), IMAGE),
    "conv2d_groups": (of(nn.Conv2d, 4, 6, 3, groups=2), IMAGE),
    "conv2d_depthwise": (of(nn.Conv2d, 4, 8, 3, groups=4), IMAGE),
    "conv2d_reflect": (of(nn.Conv2d, 4, 6, 3, padding=2, padding_mode="reflect"), IMAGE),
    "conv2d_circular": (of(nn.Conv2d, 4, 6, 3, padding=1, padding_mode="circular"), IMAGE),
    "conv3d": (of(nn.Conv3d, 2, 3, (2, 3, 2), stride=(1, 2, 1), padding=1), (2, 4, 5, 4)),
    "conv_transpose1d": (of(nn.ConvTranspose1d, 4, 6, 3, stride=2, padding=1, output_padding=1), (4, 5)),
    "conv_transpose2d": (of(nn.ConvTranspose2d, 4, 6, (3, 2), stride=(2, 3), dilation=(1, 2)), IMAGE),
    "conv_transpose2d_groups": (of(nn.ConvTranspose2d, 4, 6, 3, 2, 2, 1, groups=2, dilation=2, bias=False), IMAGE),
    "conv_transpose2d_padded": (of(nn.ConvTranspose2d, 4, 2, 2, padding=3), IMAGE),
    "conv_transpose3d": (of(nn.ConvTranspose3d, 2, 3, 2, stride=(1, 2, 1), padding=(0, 1, 0)), (2, 3, 4, 3)),
    "batch_norm": (of(nn.BatchNorm2d, 4), IMAGE),
    "batch_norm_plain": (of(nn.BatchNorm2d, 4, affine=False, eps=0.1), IMAGE),
    "batch_norm_1d": (of(nn.BatchNorm1d, 6), (6,)),
    "batch_norm_sequence": (of(nn.BatchNorm1d, 4), (4, 5)),
    "instance_norm_tracked": (of(nn.InstanceNorm2d, 4, track_running_stats=True), IMAGE),
    "instance_norm": (of(nn.InstanceNorm2d, 4, affine=True), IMAGE),
    "instance_norm_sequence": (of(nn.InstanceNorm1d, 4, eps=0.1), (4, 5)),
    "group_norm": (of(nn.GroupNorm, 2, 4), IMAGE),
    "group_norm_vector": (of(nn.GroupNorm, 2, 6, eps=0.2), (6,)),
    "layer_norm": (of(nn.LayerNorm, 7), IMAGE),
    "layer_norm_axes": (of(nn.LayerNorm, (9, 7), eps=0.1), IMAGE),
    "layer_norm_bare": (of(nn.LayerNorm, 7, elementwise_affine=False), IMAGE),
    "rms_norm": (of(nn.RMSNorm, 7), IMAGE),
    "rms_norm_axes": (of(nn.RMSNorm, (9, 7), eps=0.3), IMAGE),
    "layer_norm_written": (fn(lambda s, x: _written_norm(x - x.mean(-1, keepdim=True))), IMAGE),
    "layer_norm_first_mean": (fn(lambda s, x: _written_norm(x - x.mean(-1, keepdim=True)[:, :1])), IMAGE),
    "rms_norm_first_root": (
        fn(lambda s, x: x * torch.rsqrt((x * x).mean(-1, True) + 0.1)[:, :, :1] * torch.arange(1.0, 8.0)),
        IMAGE,
    ),
    "layer_norm_variance": (
        fn(lambda s, x: (x - x.mean(-1, keepdim=True)) * torch.rsqrt(x.var(-1, keepdim=True) + 0.1)),
        IMAGE,
    ),
    "layer_norm_deviation": (
        fn(lambda s, x: (x - x.mean((1, 3), True)) / torch.std(x, (1, 3), correction=0, keepdim=True)),
        IMAGE,
    ),
    "variance": (fn(lambda s, x: torch.var(x, -1, correction=2)), IMAGE),
    "variance_and_mean": (fn(lambda s, x: _by_both(x, *torch.var_mean(x, (1, 3), keepdim=True))), IMAGE),
    "deviation_and_mean": (fn(lambda s, x: _by_deviation(x, *torch.std_mean(x, -1, keepdim=True))), IMAGE),
    "linalg_norm": (fn(lambda s, x: x / torch.linalg.norm(x, dim=-1, keepdim=True).clamp(min=1e-6)), IMAGE),
    "linalg_norm_of_frobenius": (fn(lambda s, x: x / torch.linalg.norm(x, "fro", (1, 2), keepdim=True)), IMAGE),
    "linalg_norm_of_two": (fn(lambda s, x: x / torch.linalg.norm(x, 2, 1, keepdim=True)), IMAGE),
    "l2_norm_written": (fn(lambda s, x: x / torch.sqrt((x * x).sum(-1, keepdim=True) * 2 + 0.1)), IMAGE),
    "l2_norm_reciprocal": (fn(lambda s, x: x * (1 / torch.sqrt((x * x).sum(-1, keepdim=True)))), IMAGE),
    "rms_norm_written": (fn(lambda s, x: x * torch.rsqrt((x * x).mean((2, 3), True) + 0.1)), IMAGE),
    "rms_norm_reciprocal": (fn(lambda s, x: torch.reciprocal((x.square().mean(1, True) + 1).sqrt()) * x), IMAGE),
    "rms_norm_power": (fn(lambda s, x: x * (x**2).mean(1, keepdim=True) ** -0.5 + x**1), IMAGE),
    # activations
    "relu": (of(nn.ReLU), IMAGE),
    "relu_functional": (fn(lambda s, x: F.relu(x)), IMAGE),
    "relu6": (fn(lambda s, x: F.relu6(4 * x)), IMAGE),
    "relu6_module": (of(nn.ReLU6), IMAGE),
    "clamp": (fn(lambda s, x: torch.clamp(x, 0, 0.7)), IMAGE),
    "clamp_method": (fn(lambda s, x: x.clamp(min=0)), IMAGE),
    "clamp_min": (fn(lambda s, x: torch.clamp_min(x, 0)), IMAGE),
    "hardtanh": (of(nn.Hardtanh, 0, 2), IMAGE),
    "threshold": (of(nn.Threshold, 0, 0), IMAGE),
    "hardtanh_symmetric": (of(nn.Hardtanh), IMAGE),
    "clamp_above_zero": (fn(lambda s, x: x.clamp(0.2, 0.9)), IMAGE),
    "clamp_below_zero": (fn(lambda s, x: x.clamp(-0.9, -0.2)), IMAGE),
    "clamp_max": (fn(lambda s, x: torch.clamp_max(x, 0.3)), IMAGE),
    "clamp_max_negative": (fn(lambda s, x: x.clamp(max=-0.3)), IMAGE),
    "clamp_twice": (fn(lambda s, x: x.clamp(min=0).clamp(max=0.5)), IMAGE),
    "clamp_infinite": (fn(lambda s, x: x.clamp(-float("inf"), float("inf")) + x.clamp(-0.5, float("inf"))), IMAGE),
    "clamp_tensor": (fn(lambda s, x: x.clamp(s.c, s.c + 1), c=torch.randn(4, 1, 1)), IMAGE),
    "clamp_tensor_min": (fn(lambda s, x: torch.clamp(x, min=s.c), c=torch.randn(1, 4, 9, 7)), IMAGE),
    "maximum": (fn(lambda s, x: torch.maximum(x, 0.5 * x.flip(1))), IMAGE),
    "maximum_spread": (fn(lambda s, x: torch.max(x, x.mean(1, keepdim=True))), IMAGE),
    "maximum_constant": (fn(lambda s, x: torch.maximum(s.c, x), c=torch.randn(7)), IMAGE),
    "maximum_number": (fn(lambda s, x: torch.maximum(x, s.c), c=torch.tensor(0.25)), IMAGE),
    "minimum": (fn(lambda s, x: torch.minimum(x, 0.5 * x.flip(1))), IMAGE),
    "minimum_other": (fn(lambda s, x: torch.min(x, x.relu())), IMAGE),
    "minimum_constant": (fn(lambda s, x: torch.minimum(x, s.c), c=torch.randn(7)), IMAGE),
    "minimum_of_rectified": (fn(lambda s, x: torch.minimum(x.relu(), s.c), c=torch.tensor(0.25)), IMAGE),
    "maxout": (fn(lambda s, x: torch.max(*x.chunk(2, 1))), IMAGE),
    "threshold_at_value": (of(nn.Threshold, 0.3, 0.3), IMAGE),
    "leaky_relu": (of(nn.LeakyReLU), IMAGE),
    "leaky_relu_steep": (of(nn.LeakyReLU, 1.5, inplace=True), IMAGE),
    "leaky_relu_negative": (fn(lambda s, x: F.leaky_relu(x, -0.5)), IMAGE),
    "leaky_relu_flat": (of(nn.LeakyReLU, 0.0), IMAGE),
    "prelu": (of(nn.PReLU), IMAGE),
    "prelu_channels": (fn(lambda s, x: F.prelu(x, s.c), c=torch.randn(4)), IMAGE),
    "prelu_features": (fn(lambda s, x: F.prelu(x, s.c), c=torch.randn(5)), (5,)),
    "rrelu": (of(nn.RReLU), IMAGE),
    "hardsigmoid": (fn(lambda s, x: F.hardsigmoid(4 * x)), IMAGE),
    "abs": (fn(lambda s, x: x.abs() + torch.abs(x - 1)), IMAGE),
    "softmax": (of(nn.Softmax, dim=1), (5, 3)),
    "log_softmax": (fn(lambda s, x: F.log_softmax(x, -1)), (5, 3)),
    "no_ops": (seq(nn.Identity, nn.Dropout, nn.Dropout2d, of(nn.Conv2d, 4, 2, 1)), IMAGE),
    "copies": (fn(lambda s, x: x.clone().detach().contiguous().to(torch.float32).float() + 0), IMAGE),
    # pooling
    "max_pool1d": (of(nn.MaxPool1d, 3, 2, 1), (4, 11)),
    "max_pool2d": (of(nn.MaxPool2d, 2), IMAGE),
    "max_pool2d_all": (of(nn.MaxPool2d, 3, 2, 1, dilation=2, ceil_mode=True), (4, 10, 9)),
    "max_pool2d_ceil": (of(nn.MaxPool2d, (3, 2), (2, 3), ceil_mode=True), (4, 10, 9)),
    "max_pool2d_ceil_padding": (of(nn.MaxPool2d, 2, 2, 1, ceil_mode=True), (4, 7, 9)),
    "max_pool2d_indices": (fn(lambda s, x: F.max_pool2d(x, 2, return_indices=True)[0]), IMAGE),
    "max_pool3d": (of(nn.MaxPool3d, 2, 1), (2, 4, 5, 4)),
    "max_pool1d_features": (of(nn.MaxPool1d, 2), (8,)),
    "avg_pool1d": (of(nn.AvgPool1d, 3, 2, 1), (4, 11)),
    "avg_pool2d": (of(nn.AvgPool2d, 3, 2, 1), IMAGE),
    "avg_pool2d_not_counted": (of(nn.AvgPool2d, 3, 2, 1, count_include_pad=False), IMAGE),
    "avg_pool2d_ceil": (of(nn.AvgPool2d, (3, 2), 2, 1, ceil_mode=True), (4, 8, 9)),
    "avg_pool2d_ceil_not_counted": (of(nn.AvgPool2d, 3, 2, 1, ceil_mode=True, count_include_pad=False), (4, 8, 6)),
    "avg_pool2d_divisor": (of(nn.AvgPool2d, 3, 2, 1, divisor_override=5), IMAGE),
    "avg_pool2d_divisor_ceil": (of(nn.AvgPool2d, 3, 2, ceil_mode=True, divisor_override=5), (4, 8, 6)),
    "avg_pool3d": (of(nn.AvgPool3d, 2, 1, 1), (2, 4, 5, 4)),
    "adaptive_avg_1": (of(nn.AdaptiveAvgPool2d, 1), IMAGE),
    "adaptive_avg_divides": (of(nn.AdaptiveAvgPool2d, (3, 7)), IMAGE),
    "adaptive_avg_uneven": (of(nn.AdaptiveAvgPool2d, (4, 5)), IMAGE),
    "adaptive_avg_none": (of(nn.AdaptiveAvgPool2d, (None, 3)), IMAGE),
    "adaptive_avg_up": (of(nn.AdaptiveAvgPool2d, (12, 7)), IMAGE),
    "adaptive_avg_1d": (of(nn.AdaptiveAvgPool1d, 4), (3, 10)),
    "adaptive_avg_3d": (of(nn.AdaptiveAvgPool3d, 2), (2, 4, 5, 6)),
    "adaptive_max_1": (of(nn.AdaptiveMaxPool2d, 1), IMAGE),
    "adaptive_max_uneven": (of(nn.AdaptiveMaxPool2d, (4, 3)), IMAGE),
    "adaptive_max_larger": (of(nn.AdaptiveMaxPool2d, (9, 2)), IMAGE),
    "adaptive_max_divides": (of(nn.AdaptiveMaxPool2d, (3, 1)), IMAGE),
    "amax": (fn(lambda s, x: x.amax((1, 3))), IMAGE),
    "max_dim": (fn(lambda s, x: x.max(dim=2, keepdim=True)[0]), IMAGE),
    "mean": (fn(lambda s, x: x.mean((2, 3))), IMAGE),
    "mean_keepdim": (fn(lambda s, x: x.mean(-1, keepdim=True)), IMAGE),
    "sum": (fn(lambda s, x: x.sum((1, -1))), IMAGE),
    # moving values
    "flatten": (seq(nn.Flatten, of(nn.Linear, 252, 3)), IMAGE),
    "flatten_inner": (fn(lambda s, x: torch.flatten(x, 2)), IMAGE),
    "view_size": (fn(lambda s, x: x.view(x.size(0), -1)), IMAGE),
    "view_minus_one": (fn(lambda s, x: x.view(-1, 4 * 9 * 7)), IMAGE),
    "reshape_shape": (fn(lambda s, x: x.reshape(x.shape[0], 2, 2, *x.shape[2:])), IMAGE),
    "unflatten": (of(nn.Unflatten, 1, (2, 2)), IMAGE),
    "squeeze": (fn(lambda s, x: x.mean((2, 3), keepdim=True).squeeze(3).squeeze(-1).unsqueeze(1)), IMAGE),
    "squeeze_all": (fn(lambda s, x: x.mean((2, 3), keepdim=True).squeeze()), IMAGE),
    "permute": (fn(lambda s, x: x.permute(0, 3, 1, 2)), IMAGE),
    "transpose": (fn(lambda s, x: x.transpose(1, -1).swapaxes(2, 3)), IMAGE),
    "movedim": (fn(lambda s, x: x.movedim(1, -1)), IMAGE),
    "channels_last_linear": (fn(lambda s, x: s.l(x.permute(0, 2, 3, 1)), l=nn.Linear(4, 5)), IMAGE),
    "pad": (fn(lambda s, x: F.pad(x, (1, 2, 0, 3))), IMAGE),
    "pad_value": (fn(lambda s, x: F.pad(x, (1, 2, 0, 3, 1, 0), value=-1.5)), IMAGE),
    "pad_crop": (fn(lambda s, x: F.pad(x, (-1, 2, 3, -2), value=2.0)), IMAGE),
    "pad_zero_module": (of(nn.ZeroPad2d, (1, 0, 2, 1)), IMAGE),
    "pad_reflect": (of(nn.ReflectionPad2d, (1, 2, 3, 0)), IMAGE),
    "pad_replicate": (of(nn.ReplicationPad2d, 2), IMAGE),
    "pad_circular": (fn(lambda s, x: F.pad(x, (1, 2, 2, 1), mode="circular")), IMAGE),
    "slice_strided": (fn(lambda s, x: x[:, :, ::2, 1:-1:3]), IMAGE),
    "slice_negative": (fn(lambda s, x: x[:, -3:, :-2]), IMAGE),
    "select": (fn(lambda s, x: x[:, 1, :, -2]), IMAGE),
    "narrow": (fn(lambda s, x: x.narrow(2, 3, 4)), IMAGE),
    "index_select": (fn(lambda s, x: x.index_select(1, s.i), i=POSITIONS), IMAGE),
    "index": (fn(lambda s, x: x[:, s.i], i=POSITIONS), IMAGE),
    "index_list": (fn(lambda s, x: x[:, :, [0, -1, 3]]), IMAGE),
    "split": (fn(lambda s, x: torch.cat(x.split([1, 3], 1)[::-1], 1)), IMAGE),
    "split_size": (fn(lambda s, x: x.split(4, 2)[2] * 2), IMAGE),
    "chunk": (fn(lambda s, x: x.chunk(2, 1)[0] - x.chunk(2, 1)[1]), IMAGE),
    "unbind": (fn(lambda s, x: x.unbind(1)[2] + x.unbind(1)[0]), IMAGE),
    "flip": (fn(lambda s, x: x.flip(1, 3)), IMAGE),
    "roll": (fn(lambda s, x: x.roll((1, -2), (2, 3))), IMAGE),
    "expand": (fn(lambda s, x: x.mean(2, keepdim=True).expand(-1, -1, 5, -1)), IMAGE),
    "repeat": (fn(lambda s, x: x.repeat(1, 2, 1, 3)), IMAGE),
    "repeat_interleave": (fn(lambda s, x: x.repeat_interleave(3, dim=2)), IMAGE),
    "cat": (fn(lambda s, x: torch.cat([x, x[:, :1], 2 * x], 1)), IMAGE),
    "cat_space": (fn(lambda s, x: torch.cat((x, x), -1)), IMAGE),
    "cat_zeros": (fn(lambda s, x: torch.cat([x, torch.zeros(x.size(0), 2, 9, 7)], 1)), IMAGE),
    "cat_zeros_like": (fn(lambda s, x: torch.cat([torch.ones_like(x), x, torch.zeros_like(x) + 2, x], 1)), IMAGE),
    "cat_constant": (
        fn(lambda s, x: torch.cat([s.c.expand(x.shape[0], -1, -1), x], 1), c=torch.randn(1, 1, 5)),
        (3, 5),
    ),
    "write_slice": (fn(lambda s, x: _written(x)), IMAGE),
    "write_into_zeros": (fn(lambda s, x: _placed(x)), (2, 3, 4)),
    "stack": (fn(lambda s, x: torch.stack([x, x * 2], 2)), IMAGE),
    "stack_constant": (fn(lambda s, x: torch.stack([x, s.c.expand_as(x)], 1), c=torch.randn(5)), (5,)),
    # arithmetic
    "add_constants": (fn(lambda s, x: 1 + x + s.c + s.d, c=torch.randn(4, 1, 1), d=torch.randn(1, 1, 1, 7)), IMAGE),
    "add_alpha": (fn(lambda s, x: torch.add(x, x.flip(1), alpha=-0.3)), IMAGE),
    "gate": (fn(lambda s, x: x.relu() * x.mean((2, 3), keepdim=True).sigmoid().flip(1)), IMAGE),
    "square": (fn(lambda s, x: x.relu() * x), IMAGE),
    "add_itself": (fn(lambda s, x: x + x), IMAGE),
    "add_spread": (fn(lambda s, x: x + x.mean((2, 3), keepdim=True)), IMAGE),
    "add_grows": (fn(lambda s, x: x.mean(1, keepdim=True) + s.c, c=torch.randn(4, 1, 1)), IMAGE),
    "subtract": (fn(lambda s, x: x.relu() - x.flip(3)), IMAGE),
    "subtract_from": (fn(lambda s, x: 3 - (s.c - x), c=torch.randn(7)), IMAGE),
    "rsub": (fn(lambda s, x: torch.rsub(x, 2.0, alpha=0.5)), IMAGE),
    "multiply": (fn(lambda s, x: (x * 3) * s.c, c=torch.randn(4, 1, 1)), IMAGE),
    "multiply_grows": (fn(lambda s, x: s.c * x.mean(1, keepdim=True), c=torch.randn(4, 1, 1)), IMAGE),
    "divide": (fn(lambda s, x: x / 3 / s.c, c=torch.rand(4, 1, 1) + 1), IMAGE),
    "negate": (fn(lambda s, x: -x), IMAGE),
    "normalise_input": (
        fn(
            lambda s, x: s.conv((x - s.m[None, :, None, None]) / torch.sqrt(s.v).view(1, 4, 1, 1)),
            conv=nn.Conv2d(4, 3, 3),
            m=torch.randn(4),
            v=torch.rand(4) + 0.5,
        ),
        IMAGE,
    ),
    # resizing
    "nearest": (of(nn.Upsample, scale_factor=2), IMAGE),
    "nearest_uneven": (of(nn.Upsample, size=(13, 5)), IMAGE),
    "nearest_scale": (of(nn.Upsample, scale_factor=(1.7, 0.6)), IMAGE),
    "nearest_exact": (of(nn.Upsample, size=(13, 5), mode="nearest-exact"), IMAGE),
    "nearest_1d": (of(nn.Upsample, scale_factor=3), (4, 5)),
    "bilinear": (of(nn.Upsample, scale_factor=2, mode="bilinear"), IMAGE),
    "bilinear_corners": (of(nn.Upsample, size=(13, 5), mode="bilinear", align_corners=True), IMAGE),
    "bicubic": (of(nn.Upsample, scale_factor=2, mode="bicubic"), IMAGE),
    "pixel_shuffle": (of(nn.PixelShuffle, 2), (8, 3, 4)),
    "pixel_unshuffle": (of(nn.PixelUnshuffle, 2), (2, 6, 4)),
    "channel_shuffle": (of(nn.ChannelShuffle, 2), (6, 3, 4)),
}


SMOOTH = {
    "sigmoid": (of(nn.Sigmoid), "sigmoid"),
    "sigmoid_special": (fn(lambda s, x: torch.special.expit(x)), "sigmoid"),
    "tanh": (of(nn.Tanh), "tanh"),
    "erf": (fn(lambda s, x: torch.erf(x)), "erf"),
    "exp": (fn(lambda s, x: torch.exp(x)), "exp"),
    "gelu": (of(nn.GELU), "gelu"),
    "gelu_tanh": (of(nn.GELU, approximate="tanh"), "gelu_tanh"),
    "silu": (of(nn.SiLU), "silu"),
    "mish": (of(nn.Mish), "mish"),
    "elu": (of(nn.ELU), "elu"),
    "elu_alpha": (of(nn.ELU, 0.5), "elu"),
    "celu": (of(nn.CELU), "elu"),
    "selu": (of(nn.SELU), "selu"),
    "softplus": (of(nn.Softplus), "softplus"),
    "hardswish": (of(nn.Hardswish), "hard_swish"),
    # written out by the user
    "silu_written": (fn(lambda s, x: x * torch.sigmoid(x)), "silu"),
    "silu_turned": (fn(lambda s, x: torch.sigmoid(x) * x * 0.5), "silu"),
    "silu_of_relu": (fn(lambda s, x: (y := x.relu()) * y.sigmoid()), "silu"),
    "hardswish_written": (fn(lambda s, x: x * F.hardsigmoid(x)), "hard_swish"),
    "hardswish_relu6": (fn(lambda s, x: x * F.relu6(x + 3) / 6), "hard_swish"),
    "gelu_written": (fn(lambda s, x: x * 0.5 * (1 + torch.erf(x / 2**0.5))), "gelu"),
    "gelu_halved_last": (fn(lambda s, x: 0.5 * (x * (torch.erf(x * 0.70710678) + 1))), "gelu"),
    "mish_written": (fn(lambda s, x: x * torch.tanh(F.softplus(x))), "mish"),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_function(name):
    make, function = SMOOTH[name]
    graph = check(Function(lambda s, x: s.f(4 * x), f=make()), IMAGE)
    assert [n.function for n in graph.nodes.values() if n.kind == "Elementwise"] == [function]


@pytest.mark.parametrize("name", ["silu", "hardswish", "selu", "gelu", "leaky_relu", "hardsigmoid", "clamp",
                                  "conv_transpose2d_groups", "maximum_spread", "layer_norm", "rms_norm",
                                  "group_norm"])  # fmt: skip
def test_decomposed_function(name):
    make = SMOOTH[name][0] if name in SMOOTH else CASES[name][0]
    torch.manual_seed(4)
    dims = ({0: torch.export.Dim("n")},)
    program = torch.export.export(make().eval(), (torch.randn(2, *IMAGE),), dynamic_shapes=dims)
    check(program.run_decompositions())


@pytest.mark.parametrize("name", CASES)
def test_handler(name):
    make, shape = CASES[name]
    torch.manual_seed(1)
    check(randomised(make()), shape)


# -- whole nets -------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A residual block; its shortcut strides and pads channels with zeros."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.more = after - before

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        out += x
        return F.relu(out)


class Dense(nn.Module):
    """Two layers that read everything before them, BN - ReLU - conv."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (4, 7, 10))
        self.convs = nn.ModuleList(nn.Conv2d(c, 3, 3, padding=1) for c in (4, 7))
        self.head = nn.Linear(10, 5)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        for norm, conv in zip(self.norms, self.convs, strict=False):
            x = torch.cat([x, conv(self.act(norm(x)))], 1)
        x = F.adaptive_avg_pool2d(self.act(self.norms[2](x)), 1)
        return F.log_softmax(self.head(x.flatten(1)), dim=1)


class Shared(nn.Module):
    """One convolution used three times."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(self.act(self.conv(x)))) + self.conv(x)


class Aliases(nn.Module):
    """In-place changes that others see, through the same name and through a view."""

    def forward(self, x):
        y = x * 2
        z = y[:, :2]
        z += 1
        y.relu_()
        w = y.view(y.shape[0], -1)
        w[:, 0] = 5
        return y + z.mean(1, keepdim=True)


class InPlaceUnreturned(nn.Module):
    """The in-place rectifier's result is thrown away."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 3)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(x)
        self.act(y)
        return y.flatten(1)


class TwoHeads(nn.Module):
    """Two inputs, outputs in a dictionary."""

    input_shape = ((4,), (2, 3))

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(10, 3), nn.Linear(4, 2)

    def forward(self, x, y):
        return {"joined": self.a(torch.cat([x, y.flatten(1)], 1)), "single": self.b(x)}


class Starred(nn.Module):
    """Inputs taken as they come."""

    input_shape = ((4,), (4,))

    def forward(self, first, *others):
        return first.view(first.shape[0], 2, 2) - others[0].view(-1, 2, 2)


class FixedBatch(nn.Module):
    """Python code that makes torch.export fix the batch size."""

    def forward(self, x):
        return x.reshape(int(x.shape[0]), 2, -1).relu() if x.shape[0] < 3 else x.reshape(x.shape[0], 2, -1).relu()


NETS = {
    "residual": (
        lambda: nn.Sequential(Block(4, 4, 1), Block(4, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        (4, 8, 8),
    ),
    "densenet": (Dense, (4, 6, 6)),
    "shared": (Shared, (4, 5, 5)),
    "aliases": (Aliases, (4, 3, 3)),
    "in_place_unreturned": (InPlaceUnreturned, (4, 5, 5)),
    "in_place_on_input": (fn(lambda s, x: x.relu_() + 1), (5,)),
    "two_heads": (TwoHeads, None),
    "starred": (Starred, None),
    "weight_norm": (lambda: torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (4,)),
    "fixed_batch": (FixedBatch, (4, 3)),
    "dead_code": (fn(lambda s, x: (torch.sigmoid(x), x.relu())[1]), (4,)),
    "no_grad": (fn(lambda s, x: s.conv(x), conv=nn.Conv2d(4, 2, 1)), IMAGE),
    "same_output_twice": (fn(lambda s, x: (x.relu(), x.relu())), (4,)),
}


@pytest.mark.parametrize("name", NETS)
def test_net(name):
    make, shape = NETS[name]
    torch.manual_seed(2)
    check(randomised(make()), shape, tolerance=2e-5)


@pytest.mark.parametrize("decompose", ["functional", "core"])
@pytest.mark.parametrize("dynamic", [True, False], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("name", ["residual", "densenet"])
@pytest.mark.one_in(3)
def test_decomposed_program(name, dynamic, decompose):
    make, shape = NETS[name]
    torch.manual_seed(3)
    dims = ({0: torch.export.Dim("n")},) if dynamic else None
    net = randomised(make()).eval()
    if name == "residual":
        net = nn.Sequential(nn.Conv2d(4, 4, 3, padding="same"), nn.MaxPool2d(1), nn.Dropout(), net).eval()
    program = torch.export.export(net, (torch.randn(2, *shape),), dynamic_shapes=dims)
    check(program.run_decompositions({}) if decompose == "functional" else program.run_decompositions(), tolerance=2e-5)


def test_float64_model():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU()).double()
    model = FRONTEND.open(net, input_shape=(5,))
    x = np.random.default_rng(0).normal(size=(3, 5))
    assert np.abs(FRONTEND.parse(model).run(x) - FRONTEND.predict(model, x)[0]).max() < 1e-14


def test_names_and_origins_are_the_users():
    net = nn.Sequential(Block(4, 4, 1), nn.Flatten(), nn.Linear(4 * 4 * 4, 3))
    graph = check(randomised(net), (4, 4, 4))
    assert str(graph.nodes["0.conv1"].origin) == "0.conv1 (pytorch Conv2d)"
    assert graph.nodes["0.relu"].origin.kind == "relu"
    assert graph.nodes["2"].kind == "Dense"


def test_the_users_module_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout()).train()
    FRONTEND.open(net, input_shape=(4,))
    assert net.training
    assert net[1].training


def test_accepts_only_torch_objects():
    assert FRONTEND.accepts(nn.ReLU())
    assert FRONTEND.accepts(torch.export.export(nn.ReLU(), (torch.ones(2, 3),)))
    assert not FRONTEND.accepts(np.zeros(3))


def test_keras_models_on_torch_are_keras_models():
    keras_base = type("Model", (nn.Module,), {"__module__": "keras.src.models.model"})
    users_own = type("Mine", (keras_base,), {"__module__": "__main__"})
    assert not FRONTEND.accepts(keras_base())
    assert not FRONTEND.accepts(users_own())
    assert FRONTEND.accepts(type("Mine", (nn.Module,), {"__module__": "kerasless"})())


# -- random nets ------------------------------------------------------------------------------------------------


@st.composite
def nets(draw):
    """A random stack of layers on a small image, with a residual or a concatenation here and there."""
    channels, layers = draw(st.integers(1, 4)), []
    shape = (channels, draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "depthwise", "bn", "relu", "max", "avg", "join", "pad", "up", "transposed",
                                     "leaky", "prelu", "tanh", "swish"]))  # fmt: skip
        if kind == "conv":
            out, padding = draw(st.integers(1, 5)), draw(st.sampled_from([0, 1, "same"]))
            stride = 1 if padding == "same" else draw(st.integers(1, 2))
            layers.append(nn.Conv2d(channels, out, draw(st.integers(1, 3)), stride, padding, bias=draw(st.booleans())))
            channels = out
        elif kind == "depthwise":
            layers.append(nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=channels))
            channels *= 2
        elif kind == "join":
            joined = draw(st.booleans())
            part = nn.Conv2d(channels, channels, 1)
            layers.append(Function(_cat if joined else _residual, part=part))
            channels *= 2 if joined else 1
        else:
            layers.append(
                {
                    "bn": lambda c=channels: nn.BatchNorm2d(c),
                    "relu": lambda: nn.ReLU(inplace=draw(st.booleans())),
                    "max": lambda: nn.MaxPool2d(2, 1, ceil_mode=draw(st.booleans())),
                    "avg": lambda: nn.AvgPool2d(3, 2, 1, draw(st.booleans()), draw(st.booleans())),
                    "pad": lambda: nn.ZeroPad2d((1, 0, 0, 2)),
                    "leaky": lambda: nn.LeakyReLU(0.25),
                    "prelu": lambda c=channels: nn.PReLU(c),
                    "tanh": lambda: nn.Hardtanh(-0.5, 0.25),
                    "swish": lambda: nn.SiLU(),
                    "transposed": lambda c=channels: nn.ConvTranspose2d(c, c, 2, 2, 1, groups=c),
                    "up": lambda: nn.Upsample(scale_factor=2),
                }[kind]()
            )
    return nn.Sequential(*layers), shape


def _cat(s, x):
    return torch.cat([x, s.part(x)], 1)


def _residual(s, x):
    return x + F.relu(s.part(x))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(nets())
def test_random_net(net):
    module, shape = net
    try:
        module.eval()(torch.zeros(2, *shape))
    except RuntimeError:  # the drawn layers do not fit one another
        return
    check(randomised(module), shape)
