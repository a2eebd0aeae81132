"""A request is read once; where anything changed it since, its response is recorded with what it has become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import http

from flows import answered, pixel
from pixelwitness.exchange import Exchange
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.clients import Chosen, Names
from pixelwitness.sources.mitm import exchange_from_flow


class Recorder:
    """Takes exchanges and keeps them."""

    def __init__(self) -> None:
        self.settings: Any = type(
            "Settings", (), {"names": Names(), "gpc": Chosen(), "probe": Chosen(), "stream": False}
        )()
        self.got: list[tuple[str, Exchange]] = []

    def put(self, stage: str, exchange: Exchange) -> bool:
        self.got.append((stage, exchange))
        return True


def put(name: str, value: object) -> Callable[[http.HTTPFlow], object]:
    return lambda flow: setattr(flow.request, name, value)


@pytest.mark.parametrize(
    "change",
    [
        None,
        put("path", "/other"),
        put("host", "shop.example"),
        put("method", "PUT"),
        put("content", b"{}"),
        lambda flow: flow.request.headers.add("Cookie", "a=1"),
        lambda flow: flow.metadata.update(proxyauth=("jane", "secret")),
    ],
)
def test_what_is_recorded_is_what_the_flow_says(change: Callable[[http.HTTPFlow], object] | None) -> None:
    addon, recorder = PixelWitness(), Recorder()
    addon.recorder = recorder  # type: ignore[assignment]
    one = pixel()
    assert addon.request(one) is None
    before = exchange_from_flow(one, with_response=False)
    if change is not None:
        change(one)
    assert addon.response(answered(one)) is None
    assert recorder.got == [("request", before), ("response", exchange_from_flow(one))]
    assert recorder.got[1][1].id == exchange_from_flow(one).id
    assert not addon._taken  # nothing of a flow that is done is kept: mitmweb keeps flows


def test_a_response_without_its_request_is_recorded_whole() -> None:
    addon, recorder = PixelWitness(), Recorder()
    addon.recorder = recorder  # type: ignore[assignment]
    one = answered(pixel())
    addon.response(one)
    assert recorder.got == [("response", exchange_from_flow(one))]
