"""Named decoders of consent cookies, which rule files refer to. A decoder gives None for a value that is not its own.

Each takes the value as it stands in the header, all cookies of the request, and the rule's parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pixelwitness.consent.decoders.cookiebot import cookiebot
from pixelwitness.consent.decoders.general import flag, json_fields, opaque, pairs
from pixelwitness.consent.decoders.onetrust import onetrust
from pixelwitness.consent.decoders.services import services
from pixelwitness.consent.decoders.strings import ac, gpp, tc, usp
from pixelwitness.consent.reading import Reading

type Decoder = Callable[[str, Mapping[str, str], Mapping[str, Any]], list[Reading] | None]
MAX_VALUE = 65_536

DECODERS: dict[str, Decoder] = {
    "onetrust": onetrust,
    "cookiebot": cookiebot,
    "pairs": pairs,
    "json": json_fields,
    "services": services,
    "tc": tc,
    "gpp": gpp,
    "usp": usp,
    "ac": ac,
    "flag": flag,
    "opaque": opaque,
}
