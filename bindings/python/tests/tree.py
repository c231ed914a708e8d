"""Where things stand, and the header as the generator reads it."""

from pathlib import Path

from generate.header import read

ROOT = Path(__file__).resolve().parents[3]
HEADER = read((ROOT / "include/mixgrpo.h").read_text())
