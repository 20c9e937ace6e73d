"""Images that a model is given: paths, bytes, pixels; kinds of files, good and hostile."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pil

import edge_infer
from edge_infer import InputError
from edge_infer.errors import MissingExtraError
from edge_infer.image_spec import ImageSpec
from edge_infer.images import images_of
from edge_infer.interface import TensorSpec
from edge_infer.limits import LIMITS
from edge_infer_convert import Image
from tests.deep.pictures import encoded, model_with, photo

# --- what is given ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def net() -> edge_infer.Model:
    """Images [8, 8, 3], as bytes 0 … 255."""
    return model_with(Image((8, 8), scale=1.0, layout="NHWC"))


def test_every_form_of_an_image_gives_the_same(net: edge_infer.Model, tmp_path: Path) -> None:
    pixels = photo(8, 8)
    picture = Pil.fromarray(pixels)
    (tmp_path / "cat.png").write_bytes(encoded(picture))
    forms: dict[str, Any] = {
        "path": tmp_path / "cat.png",
        "text": str(tmp_path / "cat.png"),
        "bytes": encoded(picture),
        "a PIL image": picture,
        "one in a list": [picture],
        "pixels": pixels,
        "a batch": pixels[None],
        "nested lists": pixels[None].tolist(),
    }
    for name, form in forms.items():
        np.testing.assert_array_equal(net.run({"x": form})["y"], pixels[None].astype(np.float32), err_msg=name)
    both = net.run({"x": [tmp_path / "cat.png", encoded(Pil.fromarray(pixels[::-1].copy()))]})["y"]
    np.testing.assert_array_equal(both, np.stack([pixels, pixels[::-1]]).astype(np.float32))


def test_grey_pixels_need_no_last_dimension() -> None:
    model = model_with(Image((8, 8), channels="L", scale=1.0), 1)
    pixels = photo(8, 8, 1)
    for form in (pixels[..., 0], pixels, pixels[None]):
        np.testing.assert_array_equal(model.run({"x": form})["y"], pixels[None].transpose(0, 3, 1, 2))


def test_pixels_are_not_copied(net: edge_infer.Model) -> None:
    pixels, seen = np.stack([photo(8, 8)] * 3), []
    whole = net._graphs.whole
    run = whole.run
    whole.run = lambda names, feeds: seen.append(feeds) or run(names, feeds)  # type: ignore[method-assign,assignment,func-returns-value]
    try:
        net.run({"x": pixels})
    finally:
        whole.run = run  # type: ignore[method-assign]
    assert seen[0]["x"] is pixels


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        (np.zeros((8, 8, 3), np.float32), "expected uint8 [batch, 8, 8, 3]; write .astype('uint8'), got float32"),
        (np.zeros((8, 8, 4), np.uint8), "expected uint8 [batch, 8, 8, 3], got 3 dimensions"),
        (np.zeros((9, 8, 3), np.uint8), "expected uint8 [batch, 8, 8, 3], got 3 dimensions: [9, 8, 3]"),
        (np.zeros((8, 8), np.uint8), "got 2 dimensions"),
        (Pil.new("RGB", (9, 8)), "expected an image 8 pixels high, 8 wide, got an image: 8 pixels high, 9 wide"),
        ([Pil.new("RGB", (8, 8)), 7], "expected a path, bytes, or a PIL image, got int 7"),
        ("nothing.png", "nothing.png"),
    ],
)
def test_what_is_no_image_of_the_model_is_told(net: edge_infer.Model, given_: Any, told: str) -> None:
    with pytest.raises((InputError, FileNotFoundError)) as caught:
        net.run({"x": given_})
    assert told in str(caught.value)


def test_images_of_two_sizes_are_no_batch() -> None:
    model = model_with(Image((8, 8), resize=8))
    with pytest.raises(
        InputError, match=r"images of one size in a call, got an image 8 pixels high, 9 wide, an image 8"
    ):
        model.run({"x": [Pil.new("RGB", (9, 8)), Pil.new("RGB", (8, 8))]})


def test_without_pillow_its_extra_is_named(net: edge_infer.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"edge-infer\[images\]"):
        net.run({"x": b"\x89PNG"})
    assert net.run({"x": photo(8, 8)})["y"].shape == (1, 8, 8, 3), "pixels need none"


# --- files ------------------------------------------------------------------------------

RGB = TensorSpec(
    "x", "uint8", ("batch", "height", "width", 3), image=ImageSpec("RGB", (8, 8), "NCHW", 8, "bilinear", True)
)
GREY = RGB._replace(shape=("batch", "height", "width", 1), image=ImageSpec("L", (8, 8), "NCHW", 8, "bilinear", True))
PICTURE = Pil.fromarray(photo(20, 30))
SIXTEEN = (np.arange(600, dtype=np.uint16).reshape(20, 30) * 109)[::-1].copy()


def with_orientation(orientation: int) -> bytes:
    exif = Pil.Exif()
    exif[0x0112] = orientation
    return encoded(PICTURE, "PNG", exif=exif)


def animation(kind: str, count: int) -> bytes:
    more = [PICTURE.rotate(10 * number) for number in range(1, count)]
    return encoded(PICTURE.convert("P") if kind == "GIF" else PICTURE, kind, save_all=True, append_images=more)


def png_of(width: int, height: int) -> bytes:
    """A header that promises so many pixels, and next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_kinds_of_files_are_decoded_as_they_look() -> None:
    colours = np.asarray(PICTURE)
    clear = np.dstack([colours, np.full((20, 30), 7, np.uint8)])
    palette = PICTURE.quantize(16)
    cmyk = PICTURE.convert("CMYK")
    see_through = palette.copy()
    see_through.info["transparency"] = 3
    wanted: dict[str, tuple[bytes, NDArray[Any]]] = {
        "RGB": (encoded(PICTURE), colours),
        "RGBA: alpha is dropped": (encoded(Pil.fromarray(clear)), colours),
        "a palette": (encoded(palette), np.asarray(palette.convert("RGB"))),
        "a palette with transparency": (encoded(see_through), np.asarray(palette.convert("RGB"))),
        "grey": (encoded(PICTURE.convert("L")), np.asarray(PICTURE.convert("L").convert("RGB"))),
        "grey with alpha": (encoded(PICTURE.convert("LA")), np.asarray(PICTURE.convert("L").convert("RGB"))),
        "black and white": (encoded(PICTURE.convert("1")), np.asarray(PICTURE.convert("1").convert("RGB"))),
        "16 bits, the upper 8": (encoded(Pil.fromarray(SIXTEEN)), np.repeat((SIXTEEN >> 8)[..., None], 3, 2)),
        "BMP": (encoded(PICTURE, "BMP"), colours),
        "WebP": (encoded(PICTURE, "WEBP", lossless=True), colours),
        "a GIF of one picture": (animation("GIF", 1), np.asarray(PICTURE.convert("P").convert("RGB"))),
        "CMYK JPEG": (
            encoded(cmyk, "JPEG", quality=95),
            np.asarray(Pil.open(io.BytesIO(encoded(cmyk, "JPEG", quality=95))).convert("RGB")),
        ),
        "a camera's JPEG with a preview": (
            encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE.resize((10, 8))], quality=95),
            np.asarray(Pil.open(io.BytesIO(encoded(PICTURE, "JPEG", quality=95)))),
        ),
    }
    for name, (data, pixels) in wanted.items():
        got = images_of(data, RGB)
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got[0], pixels, err_msg=name)
    np.testing.assert_array_equal(images_of(encoded(PICTURE), GREY)[0, ..., 0], np.asarray(PICTURE.convert("L")))
    np.testing.assert_array_equal(images_of(encoded(Pil.fromarray(SIXTEEN)), GREY)[0, ..., 0], SIXTEEN >> 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation: int) -> None:
    turned = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: np.rot90,
    }[orientation]  # fmt: skip  # EXIF 2.32, tag Orientation
    np.testing.assert_array_equal(images_of(with_orientation(orientation), RGB)[0], turned(np.asarray(PICTURE)))


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an empty file"),
    "no image": (b"not an image at all", "none of these"),
    "a truncated PNG": (encoded(PICTURE)[:300], "broken"),
    "a truncated JPEG": (encoded(PICTURE, "JPEG")[:400], "broken"),
    "half a header": (encoded(PICTURE)[:20], "broken"),
    "a PNG whose data is changed": (bytes(b ^ 85 if i > 100 else b for i, b in enumerate(encoded(PICTURE))), "broken"),
    "a PNG whose data is missing": (png_of(64, 64), "broken"),
    "a bomb": (png_of(60000, 60000), "over 67,108,864 pixels"),
    "a bomb below Pillow's own limit": (png_of(8193, 8192), "8,192 × 8,193 pixels, and the limit is 67,108,864"),
    "an animated GIF": (animation("GIF", 3), "an animation of 3 pictures"),
    "an animated PNG": (animation("PNG", 3), "an animation of 3 pictures"),
    "an animated WebP": (animation("WEBP", 2), "an animation of 2 pictures"),
    "a TIFF": (encoded(PICTURE, "TIFF"), "none of these"),
    "a PDF": (b"%PDF-1.7\n", "none of these"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_told_by_name(name: str, tmp_path: Path) -> None:
    data, told = HOSTILE[name]
    path = tmp_path / "odd.png"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        images_of(str(path), RGB)
    assert "odd.png: " in str(caught.value)
    assert told in str(caught.value)


def test_a_strip_that_a_resize_would_blow_up_is_refused() -> None:
    """The shorter edge of 1 pixel to 256: the longer one of 9,000 would have 2.3 million."""
    wide = RGB._replace(image=RGB.image._replace(resize=256)) if RGB.image else RGB
    strip = Pil.new("RGB", (9000, 1))
    with pytest.raises(InputError, match="so narrow that its resized form would be too large"):
        images_of(strip, wide)
    assert images_of(strip, RGB).shape == (1, 1, 9000, 3), "to 8 pixels it is fine"


def test_files_above_the_limit_are_not_read() -> None:
    small = LIMITS._replace(image_bytes=1000)
    with pytest.raises(InputError, match="a file of at most 1,000 bytes"):
        images_of(encoded(PICTURE), RGB, small)
    assert images_of(encoded(PICTURE), RGB, LIMITS._replace(image_bytes=len(encoded(PICTURE)))).shape == (1, 20, 30, 3)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(8, 800), byte=st.integers(0, 255), kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]))
def test_a_changed_byte_is_an_image_or_one_clear_error(place: int, byte: int, kind: str) -> None:
    data = bytearray(encoded(PICTURE, kind))
    data[place % len(data)] = byte
    try:
        found = images_of(bytes(data), RGB)
    except InputError as error:
        told = str(error)
    else:
        told = f"bytes: {found.dtype}"
        assert found.dtype == np.uint8
    assert "bytes: " in told
