"""What a visitor hears when too many requests are waiting already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response, status
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from vizattn.texts import text
from vizattn.ui.links import choose_language
from vizattn.ui.settings import Settings

Handler = Callable[[Request, HTTPException], Awaitable[Response]]
_FROM_PAGE = ("x-gradio-user", "app")
"""the header by which Gradio's page tells itself from programs"""


def handlers(settings: Settings) -> dict[int, Handler]:
    """Return what answers by the number of an error, for FastAPI.

    Gradio refuses with 503 what its queue has no room for, and its page then shows a sentence of
    its own, always in English; what comes with another number it shows as it was sent. Programs
    get what they know.
    """

    async def turn_away(request: Request, error: HTTPException) -> Response:
        name, value = _FROM_PAGE
        if request.headers.get(name) != value:
            return await http_exception_handler(request, error)
        sentence = text(_language(request, settings), "errors.busy")
        return JSONResponse({"detail": sentence}, status.HTTP_429_TOO_MANY_REQUESTS)

    return {status.HTTP_503_SERVICE_UNAVAILABLE: turn_away}


def _language(request: Request, settings: Settings) -> str:
    """Return the language of the page that asks: its address is kept up to date."""
    query = dict(parse_qsl(urlsplit(request.headers.get("referer", "")).query))
    return choose_language(settings.language, query, request.headers.get("accept-language", ""))
