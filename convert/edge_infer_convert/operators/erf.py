"""The error function from arithmetic: onnxruntime has no Erf for float64."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["erf"]

# Coefficients by rising power, from Sun Microsystems' fdlibm, s_erf.c (1993), which states an error below 1 ulp.
_NEAR_P: Final = (
    1.28379167095512558561e-01,
    -3.25042107247001499370e-01,
    -2.84817495755985104766e-02,
    -5.77027029648944159157e-03,
    -2.37630166566501626084e-05,
)
_NEAR_Q: Final = (
    1.0,
    3.97917223959155352819e-01,
    6.50222499887672944485e-02,
    5.08130628187576562776e-03,
    1.32494738004321644526e-04,
    -3.96022827877536812320e-06,
)
_MIDDLE: Final = 8.45062911510467529297e-01
_MIDDLE_P: Final = (
    -2.36211856075265944077e-03,
    4.14856118683748331666e-01,
    -3.72207876035701323847e-01,
    3.18346619901161753674e-01,
    -1.10894694282396677476e-01,
    3.54783043256182359371e-02,
    -2.16637559486879084300e-03,
)
_MIDDLE_Q: Final = (
    1.0,
    1.06420880400844228286e-01,
    5.40397917702171048937e-01,
    7.18286544141962662868e-02,
    1.26171219808761642112e-01,
    1.36370839120290507362e-02,
    1.19844998467991074170e-02,
)
_FAR_P: Final = (
    -9.86494403484714822705e-03,
    -6.93858572707181764372e-01,
    -1.05586262253232909814e01,
    -6.23753324503260060396e01,
    -1.62396669462573470355e02,
    -1.84605092906711035994e02,
    -8.12874355063065934246e01,
    -9.81432934416914548592e00,
)
_FAR_Q: Final = (
    1.0,
    1.96512716674392571292e01,
    1.37657754143519042600e02,
    4.34565877475229228821e02,
    6.45387271733267880336e02,
    4.29008140027567833386e02,
    1.08635005541779435134e02,
    6.57024977031928170135e00,
    -6.04244152148580987438e-02,
)
_FARTHEST_P: Final = (
    -9.86494292470009928597e-03,
    -7.99283237680523006574e-01,
    -1.77579549177547519889e01,
    -1.60636384855821916062e02,
    -6.37566443368389627722e02,
    -1.02509513161107724954e03,
    -4.83519191608651397019e02,
)
_FARTHEST_Q: Final = (
    1.0,
    3.03380607434824582924e01,
    3.25792512996573918826e02,
    1.53672958608443695994e03,
    3.19985821950859553908e03,
    2.55305040643316442583e03,
    4.74528541206955367215e02,
    -2.24409524465858183362e01,
)


def erf(builder: GraphBuilder, x: str) -> str:
    """erf(x), x's shape: |x| below 0.84375, below 1.25, below 1 / 0.35, and beyond, each by its own quotient."""
    if builder.dtype == np.float32:
        return builder.node("Erf", x)
    size = builder.node("Abs", x)
    beyond = builder.node("Max", size, builder.constant(1.25))
    value = builder.node(
        "Where",
        builder.node("Less", size, builder.constant(1 / 0.35)),
        _tail(builder, beyond, _FAR_P, _FAR_Q),
        _tail(builder, beyond, _FARTHEST_P, _FARTHEST_Q),
    )
    value = builder.node("Where", builder.node("Less", size, builder.constant(1.25)), _middle(builder, size), value)
    signed = builder.node("Mul", builder.node("Sign", x), value)
    near = builder.node("Less", size, builder.constant(0.84375))
    return builder.node("Where", near, _near(builder, x), signed)


def _near(builder: GraphBuilder, x: str) -> str:
    """x + x R(x²)."""
    square = builder.node("Mul", x, x)
    return builder.node("Add", x, builder.node("Mul", x, _quotient(builder, square, _NEAR_P, _NEAR_Q)))


def _middle(builder: GraphBuilder, size: str) -> str:
    """0.845… + R(|x| − 1)."""
    moved = builder.node("Sub", size, builder.constant(1.0))
    return builder.node("Add", builder.constant(_MIDDLE), _quotient(builder, moved, _MIDDLE_P, _MIDDLE_Q))


def _tail(builder: GraphBuilder, size: str, above: tuple[float, ...], below: tuple[float, ...]) -> str:
    """1 − e^(−x² − 0.5625 + R(1 / x²)) / |x|."""
    square = builder.node("Mul", size, size)
    quotient = _quotient(builder, builder.node("Reciprocal", square), above, below)
    power = builder.node("Sub", quotient, builder.node("Add", square, builder.constant(0.5625)))
    rest = builder.node("Div", builder.node("Exp", power), size)
    return builder.node("Sub", builder.constant(1.0), rest)


def _quotient(builder: GraphBuilder, x: str, above: tuple[float, ...], below: tuple[float, ...]) -> str:
    return builder.node("Div", _polynomial(builder, x, above), _polynomial(builder, x, below))


def _polynomial(builder: GraphBuilder, x: str, coefficients: tuple[float, ...]) -> str:
    """Horner's scheme."""
    value = builder.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = builder.node("Add", builder.node("Mul", value, x), builder.constant(coefficient))
    return value
