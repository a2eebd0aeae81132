"""What every process that reads captures needs: imported once, in the process that is copied for each of them."""

from __future__ import annotations

from pixelwitness import workers
from pixelwitness.property import registrable_domain
from pixelwitness.sources import flows, har

__all__ = ["flows", "har", "workers"]

registrable_domain("shop.example")  # reads the public suffix list
