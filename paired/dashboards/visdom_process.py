"""The process of Visdom's server: as it is, but for where its files are and whom it answers."""

import asyncio
import contextlib
import functools
import html
import http
import json
import os
import pathlib
import urllib.parse
from collections.abc import Callable
from typing import Any

from paired.dashboards.server import say_ready
from paired.dashboards.visdom import missing_page, without_torch
from paired.ports import ADDRESS


def _here(request: Any, proxied: bool) -> bool:
    """Whether a request comes from a page of this machine, or from no page at all.

    Visdom itself answers every page of the internet that is open in the same browser. Behind
    JupyterLab, which asks for its token, the page has the address of JupyterLab.
    """
    own = {ADDRESS, "localhost"}
    if proxied:
        own.add(request.host_name)
    origin = request.headers.get("Origin")
    return request.host_name in own and (
        origin is None or urllib.parse.urlsplit(origin).hostname in own
    )


async def serve(folder: str, port: int, base_url: str, page: pathlib.Path) -> None:
    """Be Visdom's server: as it is, but for where its files are and whom it answers."""
    with without_torch():
        from visdom.server import app
    from tornado import web
    from visdom.server.handlers import base_handlers, socket_handlers, web_handlers

    visdoms = app.tornado_settings["static_path"]

    class Files(web.StaticFileHandler):
        """The files of two folders: those that were fetched, and those that Visdom brings."""

        @classmethod
        def get_absolute_path(cls, root: str, path: str) -> str:
            fetched, own = map(
                functools.partial(super().get_absolute_path, path=path), (root, visdoms)
            )
            return fetched if os.path.exists(fetched) else own

        def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
            own = absolute_path.startswith(visdoms + os.sep)
            return super().validate_absolute_path(visdoms if own else root, absolute_path)

        @classmethod
        def make_static_url(cls, settings: dict, path: str, include_version: bool = True) -> str:
            # The index page asks for static_url("../user/style.css"), which is no static file:
            # since tornado 6.6 that is an error 403.
            if path.startswith("../"):
                return urllib.parse.urljoin(settings["static_url_prefix"], path)
            return super().make_static_url(settings, path, include_version)

    class Page(web.RequestHandler):
        """Instead of a blank page, what is missing."""

        def get(self, *_: str) -> None:
            sentence = html.escape(missing_page(page) or "Load this page again.")
            self.write(f"<!doctype html><title>visdom</title><p>{sentence}</p>")

    def prepare(self: Any) -> None:
        if not _here(self.request, bool(base_url)):
            raise web.HTTPError(http.HTTPStatus.FORBIDDEN)

    base_handlers.BaseHandler.prepare = prepare
    # Visdom's own wants a page error.html, which is not there, and then answers without a word.
    base_handlers.BaseHandler.write_error = web.RequestHandler.write_error
    for handler in (socket_handlers.SocketHandler, socket_handlers.VisSocketHandler):
        handler.check_origin = lambda self, _: _here(self.request, bool(base_url))
    seen: dict[pathlib.Path, float] = {}

    def look_again(state: dict) -> None:
        """The server behind a tile shows what others have saved meanwhile."""
        for file in pathlib.Path(folder).glob("*.json"):
            with contextlib.suppress(OSError, ValueError):  # it is being written
                if base_url and seen.get(file) != (changed := file.stat().st_mtime):
                    state[file.stem] = json.loads(file.read_text(encoding="utf-8"))
                    seen[file] = changed

    def draw(handler: Any, *arguments: str, get: Callable) -> None:
        if missing_page(page):
            Page.get(handler)
            return
        look_again(handler.state)
        full = {env for env, content in handler.state.items() if content["jsons"]}
        drawn = [file for file in seen if file.stem in full]
        if drawn and "main" not in full and not arguments[0].strip("/"):
            newest = max(drawn, key=seen.get)  # "main", which is the usual page, is empty
            handler.redirect(f"{base_url}/env/{urllib.parse.quote(newest.stem)}")
        else:
            get(handler, *arguments)

    for name in ("IndexHandler", "EnvHandler", "CompareHandler"):
        handler = getattr(web_handlers, name)
        handler.get = functools.partialmethod(draw, get=handler.get)

    def whole(pane: dict, change: dict) -> tuple[dict, dict]:
        """Visdom's `update_packet`, whose second answer would be a patch of the pane.

        Of the two the shorter is sent, the pane at a tie. The page can apply patches out of order
        and then loses some for good.
        """
        pane = web_handlers.UpdateHandler.update(pane, change)
        pane["contentID"] = web_handlers.get_rand_id()
        return pane, pane

    web_handlers.UpdateHandler.update_packet = staticmethod(whole)
    # The page of two environments compared would look for their names in ~/.visdom.
    web_handlers.gather_envs = functools.partial(web_handlers.gather_envs, env_path=folder)
    app.tornado_settings["static_path"] = str(page)
    app.tornado_settings["static_handler_class"] = Files
    app.tornado_settings["autoreload"] = False  # it would start again when a module is edited
    # Environments are loaded now: saved before it was looked at, one that is loaded late is lost.
    application = app.Application(
        port=port, base_url=base_url, env_path=folder, eager_data_loading=True
    )
    application.listen(port, ADDRESS, max_buffer_size=1024**3)
    say_ready("Visdom")
    await asyncio.Event().wait()
