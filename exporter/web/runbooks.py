"""The runbooks of the alerts, as plain text: the links in the alerts lead here, also without a network."""

from aiohttp import web

from exporter.runtime.share import share

PATH = "/runbooks"


def routes(prefix: str) -> list[web.RouteDef]:
    """The list, and each page; `.md` may be left out."""
    return [web.get(f"{prefix}{PATH}/", _list), web.get(f"{prefix}{PATH}/{{name}}", _page)]


async def _list(_: web.Request) -> web.Response:
    return web.Response(text="".join(f"{PATH}/{name}.md\n" for name in sorted(_pages())))


async def _page(request: web.Request) -> web.Response:
    page = _pages().get(request.match_info["name"].removesuffix(".md"))
    if page is None:
        raise web.HTTPNotFound(text=f"There is no such runbook; {PATH}/ lists them.\n")
    return web.Response(text=page)


def _pages() -> dict[str, str]:
    """By the alert's name. Read anew each time: they are few, small and seldom asked for."""
    folder = share() / "rules" / "runbooks"
    return {path.stem: path.read_text("utf-8") for path in folder.glob("*.md") if path.stem != "README"}
