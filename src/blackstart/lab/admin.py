"""The lab's own admin API on loopback; ``client`` says what it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from blackstart.lab.status import Status


class Ruled(Protocol):
    """What the admin API is for."""

    def status(self) -> Status: ...

    def faults(self) -> Mapping[str, Mapping[str, bool]]:
        """By region: whether ``control_plane`` and ``data_stores`` work."""
        ...

    async def set_faults(self, region: str, control_plane: bool | None, data_stores: bool | None) -> None:
        """Break (False) or mend (True) what is not None; done when this returns. KeyError: no such region."""
        ...

    def stop(self) -> None:
        """Begin to end the lab."""
        ...


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    region: str
    control_plane: bool | None = None
    data_stores: bool | None = None


def application(lab: Ruled) -> web.Application:
    """The admin API of ``lab``."""

    async def status(_: web.Request) -> web.Response:
        return web.json_response(lab.status().to_json())

    async def faults(_: web.Request) -> web.Response:
        return web.json_response(_plain(lab.faults()))

    async def set_faults(request: web.Request) -> web.Response:
        try:
            wanted = _Wanted.model_validate_json(await request.read())
            await lab.set_faults(wanted.region, wanted.control_plane, wanted.data_stores)
        except ValidationError as error:
            return web.json_response({"error": str(error.errors()[0]["msg"])}, status=400)
        except KeyError:
            return web.json_response({"error": f"this lab has no region {wanted.region}"}, status=404)
        return web.json_response(_plain(lab.faults()))

    async def shutdown(_: web.Request) -> web.Response:
        lab.stop()
        return web.json_response({}, status=202)

    app = web.Application()
    app.add_routes(
        [
            web.get("/status", status),
            web.get("/faults", faults),
            web.post("/faults", set_faults),
            web.post("/shutdown", shutdown),
        ]
    )
    return app


def _plain(faults: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:
    return {region: dict(works) for region, works in faults.items()}
