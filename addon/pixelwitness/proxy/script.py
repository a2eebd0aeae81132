"""For `mitmdump -s "$(pixelwitness addon-path)"`."""

from pixelwitness.proxy.addon import PixelWitness

addons = [PixelWitness()]
