"""Named decoders of consent cookies, which rule files refer to. A decoder gives None for a value that is not its own.

Each takes the value as it stands in the header, all cookies of the request, and the rule's parameters, to which `lists`
(the names in rules/consent/services.yaml) is added. Most rules need only those of `general`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pixelwitness.consent.decoders import others
from pixelwitness.consent.decoders.cookiebot import cookiebot
from pixelwitness.consent.decoders.didomi import didomi
from pixelwitness.consent.decoders.general import flag, json_fields, listed, opaque, pairs, unanimous
from pixelwitness.consent.decoders.onetrust import onetrust
from pixelwitness.consent.decoders.services import services
from pixelwitness.consent.decoders.shopify import shopify
from pixelwitness.consent.decoders.strings import ac, gpp, tc, usp
from pixelwitness.consent.decoders.trustarc import trustarc
from pixelwitness.consent.reading import Reading

type Decoder = Callable[[str, Mapping[str, str], Mapping[str, Any]], list[Reading] | None]
MAX_VALUE = 65_536

DECODERS: dict[str, Decoder] = {
    "flag": flag,
    "json": json_fields,
    "listed": listed,
    "opaque": opaque,
    "pairs": pairs,
    "services": services,
    "unanimous": unanimous,
    "ac": ac,
    "gpp": gpp,
    "tc": tc,
    "tc_inside": others.tc_inside,
    "usp": usp,
    "axeptio_vendors": others.axeptio_vendors,
    "civic": others.civic,
    "commanders_act": others.commanders_act,
    "cookiebot": cookiebot,
    "cookiehub": others.cookiehub,
    "didomi": didomi,
    "evidon": others.evidon,
    "fides": others.fides,
    "funding_choices": others.funding_choices,
    "ketch": others.ketch,
    "onetrust": onetrust,
    "pandectes": others.pandectes,
    "shopify": shopify,
    "tealium": others.tealium,
    "trustarc": trustarc,
}
