"""
British National Grid to WGS 84: eastings and northings are what many systems export.

Airy 1830 transverse Mercator, inverted by iteration, then a Helmert shift; good to about five
metres, which is why every position made here says so.

Source: Ordnance Survey, "A guide to coordinate systems in Great Britain", annexes B and C.
"""

from math import atan2, cos, degrees, hypot, radians, sin, sqrt, tan
from typing import Final

ACCURACY_M: Final = 5
MAX_EASTING_M: Final = 700_000
MAX_NORTHING_M: Final = 1_300_000

_AIRY: Final = (6_377_563.396, 6_356_256.909)
_WGS84: Final = (6_378_137.0, 6_356_752.3142)
_SCALE: Final = 0.9996012717
_ORIGIN: Final = (radians(49), radians(-2))
_FALSE: Final = (400_000.0, -100_000.0)
_SHIFT_M: Final = (446.448, -125.157, 542.060)
_ROTATION: Final = tuple(radians(seconds / 3600) for seconds in (0.1502, 0.2470, 0.8421))
_SCALE_CHANGE: Final = -20.4894e-6
_CLOSE_M: Final = 1e-5
_MAX_ROUNDS: Final = 50


def to_wgs84(easting_m: float, northing_m: float) -> tuple[float, float]:
    """
    Return latitude and longitude in degrees.

    Raises:
        ValueError: The point is not on the grid.
    """
    if not (0 <= easting_m <= MAX_EASTING_M and 0 <= northing_m <= MAX_NORTHING_M):
        raise ValueError("not on the grid")
    latitude, longitude = _unproject(easting_m, northing_m)
    x, y, z = _shift(*_cartesian(latitude, longitude))
    return _geodetic(x, y, z)


def _unproject(easting: float, northing: float) -> tuple[float, float]:
    a, b = _AIRY
    e2 = 1 - (b / a) ** 2
    phi = _ORIGIN[0]
    for _ in range(_MAX_ROUNDS):
        rest = northing - _FALSE[1] - _meridional_arc(phi)
        phi += rest / (a * _SCALE)
        if abs(rest) < _CLOSE_M:
            break
    nu = a * _SCALE / sqrt(1 - e2 * sin(phi) ** 2)
    rho = a * _SCALE * (1 - e2) / (1 - e2 * sin(phi) ** 2) ** 1.5
    eta2 = nu / rho - 1
    t, sec, d = tan(phi), 1 / cos(phi), easting - _FALSE[0]
    vii = t / (2 * rho * nu)
    viii = t / (24 * rho * nu**3) * (5 + 3 * t**2 + eta2 - 9 * t**2 * eta2)
    ix = t / (720 * rho * nu**5) * (61 + 90 * t**2 + 45 * t**4)
    x = sec / nu
    xi = sec / (6 * nu**3) * (nu / rho + 2 * t**2)
    xii = sec / (120 * nu**5) * (5 + 28 * t**2 + 24 * t**4)
    xiia = sec / (5040 * nu**7) * (61 + 662 * t**2 + 1320 * t**4 + 720 * t**6)
    latitude = phi - vii * d**2 + viii * d**4 - ix * d**6
    longitude = _ORIGIN[1] + x * d - xi * d**3 + xii * d**5 - xiia * d**7
    return latitude, longitude


def _meridional_arc(phi: float) -> float:
    a, b = _AIRY
    n = (a - b) / (a + b)
    minus, plus = phi - _ORIGIN[0], phi + _ORIGIN[0]
    return (
        b
        * _SCALE
        * (
            (1 + n + 5 / 4 * (n**2 + n**3)) * minus
            - (3 * n + 3 * n**2 + 21 / 8 * n**3) * sin(minus) * cos(plus)
            + (15 / 8 * (n**2 + n**3)) * sin(2 * minus) * cos(2 * plus)
            - 35 / 24 * n**3 * sin(3 * minus) * cos(3 * plus)
        )
    )


def _cartesian(latitude: float, longitude: float) -> tuple[float, float, float]:
    a, b = _AIRY
    e2 = 1 - (b / a) ** 2
    nu = a / sqrt(1 - e2 * sin(latitude) ** 2)
    flat = nu * cos(latitude)
    return flat * cos(longitude), flat * sin(longitude), (1 - e2) * nu * sin(latitude)


def _shift(x: float, y: float, z: float) -> tuple[float, float, float]:
    tx, ty, tz = _SHIFT_M
    rx, ry, rz = _ROTATION
    s = 1 + _SCALE_CHANGE
    return (
        tx + x * s - y * rz + z * ry,
        ty + x * rz + y * s - z * rx,
        tz - x * ry + y * rx + z * s,
    )


def _geodetic(x: float, y: float, z: float) -> tuple[float, float]:
    a, b = _WGS84
    e2 = 1 - (b / a) ** 2
    flat = hypot(x, y)
    latitude = atan2(z, flat * (1 - e2))
    for _ in range(_MAX_ROUNDS):
        nu = a / sqrt(1 - e2 * sin(latitude) ** 2)
        latitude = atan2(z + e2 * nu * sin(latitude), flat)
    return degrees(latitude), degrees(atan2(y, x))
