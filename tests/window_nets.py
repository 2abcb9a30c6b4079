"""Small networks of windows, tables of embeddings and one block, with random weights, in plain PyTorch."""

import torch
from torch import nn
from torch.nn import functional


def windows(x, size):
    """(batch, height, width, channels) as (batch x windows, size x size, channels), as Swin writes it."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // size, size, width // size, size, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, channels)


def image(x, size, height, width):
    """The windows put together again."""
    x = x.view(x.shape[0] // (height // size * (width // size)), height // size, width // size, size, size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(x.shape[0], height, width, -1)


class Heads(nn.Module):
    """Attention within windows: a bias for each offset of two places, and a mask for windows that the shift joins."""

    def __init__(self, width, size, heads):
        super().__init__()
        self.heads, self.width = heads, width
        self.joint, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.offsets = nn.Parameter(torch.randn((2 * size - 1) ** 2, heads) / 2)
        place = torch.arange(size * size)
        rows, columns = (p[:, None] - p + size - 1 for p in (place // size, place % size))
        self.register_buffer("index", rows * (2 * size - 1) + columns)

    def forward(self, x, mask):
        many, steps, _ = x.shape
        joint = self.joint(x).reshape(many, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = joint.unbind(0)
        scores = query * (self.width // self.heads) ** -0.5 @ key.transpose(-2, -1)
        bias = self.offsets[self.index.view(-1)].view(steps, steps, -1).permute(2, 0, 1)
        scores = scores + bias.unsqueeze(0)
        if mask is not None:
            count = len(mask)
            scores = scores.view(many // count, count, self.heads, steps, steps) + mask[:, None][None]
            scores = scores.view(-1, self.heads, steps, steps)
        return self.out((scores.softmax(-1) @ value).transpose(1, 2).reshape(many, steps, -1))


class Block(nn.Module):
    """Windows, shifted or not, and two dense layers, each behind a normalisation."""

    def __init__(self, width, side, size, heads, shift):
        super().__init__()
        self.side, self.size, self.shift = side, size, shift
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = Heads(width, size, heads)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        part = (torch.arange(side) >= side - size).int() + (torch.arange(side) >= side - shift)
        parts = windows((3 * part[:, None] + part)[None, ..., None], size)[..., 0]
        apart = (parts[:, None] != parts[:, :, None]).float() * -100.0
        self.register_buffer("mask", apart if shift else None)

    def forward(self, x):
        batch, places, width = x.shape
        y = self.first(x).view(batch, self.side, self.side, width)
        y = torch.roll(y, (-self.shift, -self.shift), (1, 2)) if self.shift else y
        y = image(self.attend(windows(y, self.size), self.mask), self.size, self.side, self.side)
        y = torch.roll(y, (self.shift, self.shift), (1, 2)) if self.shift else y
        x = x + y.view(batch, places, width)
        return x + self.dense(self.second(x))


class Swin(nn.Module):
    """Patches of a picture, a block, a shifted one, a merge of patches, and the mean."""

    def __init__(self, width=4, side=4, size=2, classes=3):
        super().__init__()
        self.side = side
        self.patches, self.norm = nn.Conv2d(1, width, 2, 2), nn.LayerNorm(width)
        self.blocks = nn.Sequential(Block(width, side, size, 2, 0), Block(width, side, size, 2, size // 2))
        self.merged, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)
        self.last = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.blocks(self.norm(self.patches(x).flatten(2).transpose(1, 2)))
        x = x.view(x.shape[0], self.side, self.side, -1)
        x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1).view(x.shape[0], -1, 4 * x.shape[-1])
        return self.last(self.reduce(self.merged(x)).mean(1))


class Bert(nn.Module):
    """Tables of words and places, a mask of tokens, a layer, and what a dense one makes of the first token."""

    def __init__(self, words=11, tokens=4, width=8, heads=2):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(tokens, width)
        self.norm = nn.LayerNorm(width)
        self.layer = nn.TransformerEncoderLayer(width, heads, 12, activation="gelu", batch_first=True)
        self.pool, self.last = nn.Linear(width, width), nn.Linear(width, 3)

    def embedded(self, words):
        """The rows of the tables for identities of words."""
        return self.words(words) + self.places.weight

    def behind(self, rows):
        """What the rest makes of the rows."""
        return self.last(torch.tanh(self.pool(self.layer(self.norm(rows))[:, 0])))

    def forward(self, words):
        return self.behind(self.embedded(words))


class Behind(nn.Module):
    """A network from its embeddings on."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole

    def forward(self, rows):
        return self.whole.behind(rows)


class Text(nn.Module):
    """One block over rows of words: a learned query reads them by softmax in pieces, its answer has length one."""

    def __init__(self, width=6, classes=3):
        super().__init__()
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.query = nn.Parameter(torch.randn(1, 2, width))
        self.last = nn.Linear(2 * width, classes)

    def forward(self, x):
        scores = self.query.expand(x.shape[0], -1, -1) @ self.key(x).transpose(1, 2)
        shares = torch.exp(scores - scores.amax(-1, keepdim=True))
        said = shares / shares.sum(-1, keepdim=True) @ torch.tanh(self.value(x))
        return self.last(functional.normalize(said, dim=-1).flatten(1))


def made(kind, **settings):
    """A network of random weights, always the same."""
    torch.manual_seed(1)
    return kind(**settings).eval()
