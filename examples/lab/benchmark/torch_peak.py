"""Measures PyTorch's fastest matrix product in bfloat16; prints one line of JSON, as `benchmark peak` does in float32.

Usage: torch_peak.py THREADS
"""

import json
import sys
import time

import torch


def gflop_per_second(size: int, repeats: int = 20) -> float:
    a, b = (torch.randn(size, size).bfloat16() for _ in range(2))
    fastest = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        torch.mm(a, b)
        fastest = min(fastest, time.perf_counter() - begin)
    return 2e-9 * size**3 / fastest


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"gflop_per_second": max(gflop_per_second(size) for size in (512, 1024, 2048))}))


if __name__ == "__main__":
    main()
