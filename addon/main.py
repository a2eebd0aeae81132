"""For `mitmdump -s addon/main.py` in a checkout."""

from pixelwitness.proxy.addon import PixelWitness

addons = [PixelWitness()]
