"""ICC profiles made by hand, and what their colours are in sRGB by the formulas alone."""

import struct

import numpy as np

# Columns are the XYZ (adapted to D50) of red, green and blue, as the profiles of their makers say.
SRGB = [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
ADOBE = [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
P3 = [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
D50 = (0.96420, 1.0, 0.82491)
GAMMA = 563 / 256  # Adobe RGB's


def profile(columns, gamma=None):
    """An RGB profile with the curve of sRGB, or a power."""
    curve = (
        b"para\0\0\0\0\0\3\0\0" + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        if gamma is None
        else b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)
    )
    tags = {b"r" + kind: curve for kind in [b"TRC"]} | {b"gTRC": curve, b"bTRC": curve}
    for letter, column in zip(b"rgb", np.transpose(columns)):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
    return _whole(b"RGB ", tags)


def grey_profile(gamma):
    return _whole(b"GRAY", {b"kTRC": b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)})


def in_srgb(colour, columns, gamma=None):
    """What sRGB calls a colour (0..255) of a space: the right values."""
    share = np.asarray(colour) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light = light if gamma is None else share**gamma
    linear = np.clip(np.linalg.solve(SRGB, np.asarray(columns) @ light), 0, 1)
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(np.rint(curved * 255).astype(int))


def _fixed(*numbers):
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _whole(space, tags):
    tags = {
        b"desc": b"mluc\0\0\0\0\0\0\0\1\0\0\0\x0cenUS\0\0\0\2\0\0\0\x1c\0x\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50),
        **tags,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI", start + len(body), b"lcms", 0x04300000)
    header += b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28) + _fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
