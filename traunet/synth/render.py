"""A small software renderer: triangles with a z-buffer, one directional and one ambient light.

Compiled with numba, so it needs neither OpenGL nor a display, and gives the same pixels on every run.
"""

import numba
import numpy as np


def _compiled(function):
    """The function in machine code, which numba keeps for other processes, here or in the user's cache folder.

    Where neither can be written, a read-only library and no home, each process compiles for itself.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no place for a cache
        return numba.njit(nogil=True)(function)


@_compiled
def rasterize(points, triangles, uv, opaque, height, width):
    """Which triangle each pixel sees, and where in it.

    points: (V, 3) float32, x and y in pixels (the first pixel's centre is 0, 0) and depth, smaller is nearer;
    triangles: (F, 3) int32; uv: (V, 2) float32, in texels; opaque: bool texture, False where it is cut out.
    Returns (H, W) int32 triangle or -1, and (H, W, 2) float32 weights of its second and third corner.
    """
    nearest = np.full((height, width), np.float32(np.inf))
    seen = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ax, ay, az = points[a]
        bx, by, bz = points[b]
        cx, cy, cz = points[c]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
        top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                v = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                w = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                if v < 0 or w < 0 or v + w > 1:
                    continue
                depth = az + v * (bz - az) + w * (cz - az)
                if depth >= nearest[y, x]:
                    continue
                s = uv[a, 0] + v * (uv[b, 0] - uv[a, 0]) + w * (uv[c, 0] - uv[a, 0])
                t = uv[a, 1] + v * (uv[b, 1] - uv[a, 1]) + w * (uv[c, 1] - uv[a, 1])
                if not opaque[int(t), int(s)]:
                    continue
                nearest[y, x] = depth
                seen[y, x] = f
                weights[y, x, 0] = v
                weights[y, x, 1] = w
    return seen, weights


@_compiled
def vertex_normals(points, triangles):
    """Unit normals, (V, 3) float32, as the mean of the neighbouring triangles' weighted by their area."""
    normals = np.zeros_like(points)
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ux, uy, uz = points[b] - points[a]
        vx, vy, vz = points[c] - points[a]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for k in range(len(points)):
        length = np.sqrt(normals[k, 0] ** 2 + normals[k, 1] ** 2 + normals[k, 2] ** 2) + 1e-12
        normals[k] /= length
    return normals


@_compiled
def shade(seen, weights, triangles, uv, normals, shadow, gloss, texture, light, ambient, image):
    """Paint what is seen into `image`, (H, W, 3) float32 in linear light, in place.

    texture: (T, S, 3) float32; normals: (V, 3) in camera axes (z towards the camera); shadow, gloss: (V,) how
    dark a place lies and how it shines; light: (3,) direction to the lamp times its strength; ambient: the
    strength of the light from everywhere.
    """
    height, width = seen.shape
    strength = np.sqrt(light[0] ** 2 + light[1] ** 2 + light[2] ** 2)
    hx, hy, hz = light[0] / strength, light[1] / strength, light[2] / strength + 1
    half = np.sqrt(hx * hx + hy * hy + hz * hz)
    for y in range(height):
        for x in range(width):
            f = seen[y, x]
            if f < 0:
                continue
            a, b, c = triangles[f]
            v, w = weights[y, x, 0], weights[y, x, 1]
            u = 1 - v - w
            nx = u * normals[a, 0] + v * normals[b, 0] + w * normals[c, 0]
            ny = u * normals[a, 1] + v * normals[b, 1] + w * normals[c, 1]
            nz = u * normals[a, 2] + v * normals[b, 2] + w * normals[c, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            if nz < 0:
                length = -length
            nx, ny, nz = nx / length, ny / length, nz / length
            facing = nx * light[0] + ny * light[1] + nz * light[2]
            # half of a wrapped lamp: skin scatters light beyond the terminator
            diffuse = 0.75 * max(facing, 0.0) + 0.25 * 0.5 * (facing + strength)
            sky = ambient * (0.8 + 0.2 * ny)
            dark = u * shadow[a] + v * shadow[b] + w * shadow[c]
            shine = u * gloss[a] + v * gloss[b] + w * gloss[c]
            mirror = max((nx * hx + ny * hy + nz * hz) / half, 0.0)
            highlight = shine * strength * mirror**24
            s = u * uv[a, 0] + v * uv[b, 0] + w * uv[c, 0]
            t = u * uv[a, 1] + v * uv[b, 1] + w * uv[c, 1]
            i, j = int(t), int(s)
            dt, ds = t - i, s - j
            for k in range(3):
                color = (1 - dt) * ((1 - ds) * texture[i, j, k] + ds * texture[i, j + 1, k]) + dt * (
                    (1 - ds) * texture[i + 1, j, k] + ds * texture[i + 1, j + 1, k]
                )
                image[y, x, k] = (color * (diffuse + sky) + highlight) * dark


def interpolate(seen: np.ndarray, weights: np.ndarray, triangles: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at the vertices (V, K) as a picture (H, W, K); zero where nothing is seen."""
    corners = values[triangles[np.maximum(seen, 0)]]
    v, w = weights[..., :1], weights[..., 1:]
    inside = (1 - v - w) * corners[..., 0, :] + v * corners[..., 1, :] + w * corners[..., 2, :]
    return np.where(seen[..., None] >= 0, inside, 0)
