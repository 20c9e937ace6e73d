"""What a file that is no ONNX model looks like: a guess by its first bytes, for the message."""

from __future__ import annotations

from typing import Final

__all__ = ["guess_format"]

_CONVERT: Final = "convert it first with `edge-infer convert`"
_MAGIC: Final = (
    (b"version https://git-lfs", "this is a Git LFS pointer, not the file; run `git lfs pull`"),
    (b"age-encryption.org/", "this is an age file; give the identity that it was encrypted to, or decrypt it first"),
    (b"-----BEGIN AGE", "this is an age file in ASCII armour; expected a binary one: leave out --armor"),
    (b"PK", f"this looks like a zip archive (.skops, .npz, .keras, .pt); {_CONVERT}"),
    (b"\x89HDF", f"this looks like an HDF5 file (.h5); {_CONVERT}"),
    (b"\x1f\x8b", "this looks like a gzip file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "this looks like a zstd file; unpack it first"),
    (b"\xfd7zXZ", "this looks like an xz file; unpack it first"),
    (b"\x93NUMPY", "this looks like a NumPy array (.npy), which holds data and no model"),
    (b"\x89PNG", "this looks like a PNG image"),
    (b"PAR1", "this looks like a Parquet file, which holds data and no model"),
    (b"CBM1", f"this looks like a CatBoost model; {_CONVERT}"),
    (b"GGUF", "this looks like a GGUF model, which edge-infer does not run"),
    (b"%PDF", "this looks like a PDF document"),
)


def guess_format(data: bytes) -> str | None:
    """What bytes that are not ONNX look like, as a part of the message, or None."""
    if not data:
        return "the file is empty"
    head = data[:64]
    for magic, guess in _MAGIC:
        if head.startswith(magic):
            return guess
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"this looks like a pickle; {_CONVERT}"
    if head[4:8] in (b"ORTM", b"TFL3"):
        name = "an onnxruntime .ort file" if head[4:8] == b"ORTM" else "a TensorFlow Lite file"
        return f"this looks like {name}; use the .onnx file that it was made from"
    if not any(head) and len(head) > 8:
        return "it begins with zero bytes; the file was not written completely"
    return _guess_text(head)


def _guess_text(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if any(byte < 0x20 and byte not in b"\t\r\n" for byte in text) or len(text) < 2:
        return None
    if text[:1] in (b"{", b"["):
        return f"this looks like JSON; a model saved as JSON: {_CONVERT}"
    if text[:1] == b"<":
        return "this looks like an HTML or XML page; perhaps the download led to a web page"
    return "this looks like text" if text.isascii() else None
