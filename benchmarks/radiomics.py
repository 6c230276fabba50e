"""Milliseconds of CPU per radiomics region, by crop size: python benchmarks/radiomics.py."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trainables.radiomics.extraction import Pixels, measure

SIZES = ((32, 32), (80, 64), (256, 192))
REPEATS = 10


def main() -> None:
    """Print the best and the median of ten regions per size, after one call that warms the imports."""
    measure(film(9, 9, seed=0))
    for height, width in SIZES:
        costs = sorted(cpu_ms(film(height, width, seed=seed)) for seed in range(REPEATS))
        print(f"{height:4d} x {width:<4d} best {costs[0]:6.0f} ms   median {costs[REPEATS // 2]:6.0f} ms per region")


def cpu_ms(region: Pixels) -> float:
    """CPU time of one region, without the time that other processes take."""
    start = time.process_time()
    measure(region)
    return (time.process_time() - start) * 1000


def film(height: int, width: int, *, seed: int) -> Pixels:
    """Noise with the grain of a radiograph, 16 bits."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1.0)
    levels: Pixels = (30000 + 8000 * noise / noise.std()).clip(0, 65535).astype(np.uint16)
    return levels


if __name__ == "__main__":
    main()
