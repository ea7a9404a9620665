"""Lists, page by page, also when the server forgets half way which list it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from blackstart.kube.wire import KubeRefused

PAGE = 500
GONE = 410
STARTS = 5
HEAD = 4096
TOKEN = re.compile(rb'"continue": ?"([^"\\\\]+)"')


@dataclass(frozen=True)
class Page:
    """Some objects of the list as it was at ``version``. ``first``: a list begins here; ``last``: it ends here."""

    items: Sequence[Any]
    version: str
    first: bool
    last: bool


def pages(ask: Callable[[Mapping[str, str]], bytes], parse: Callable[[bytes], Any]) -> Iterator[Page]:
    """Read a list with ``ask``, which takes a query. If its pages expire (410), it begins again with a first page.

    While one page is parsed, the next is on its way.
    """
    following, starts, ahead = "", 1, _Ahead(ask)
    try:
        while True:
            try:
                body = ahead.ask(following)
            except KubeRefused as error:
                if error.status != GONE or not following or starts == STARTS:
                    raise
                following, starts = "", starts + 1
                continue
            ahead.begin(_early(body))
            found = parse(body)
            metadata = found.get("metadata") or {}
            first, following = not following, metadata.get("continue") or ""
            yield Page(found.get("items") or (), str(metadata.get("resourceVersion", "")), first, not following)
            if not following:
                return
    finally:
        ahead.close()


def _early(body: bytes) -> str:
    """The token of the page after ``body``, if it stands where API servers write it; parsing will tell for sure."""
    found = TOKEN.search(body, 0, HEAD)
    return found[1].decode() if found else ""


class _Ahead:
    """Asks for pages; for one of them in advance, by a thread that is there only if it is needed."""

    def __init__(self, ask: Callable[[Mapping[str, str]], bytes]) -> None:
        self._ask = ask
        self._thread: ThreadPoolExecutor | None = None
        self._coming: tuple[str, Future[bytes]] | None = None

    def begin(self, token: str) -> None:
        if token:
            self._thread = self._thread or ThreadPoolExecutor(1, "blackstart-pages")
            self._coming = token, self._thread.submit(self._page, token)

    def ask(self, token: str) -> bytes:
        coming, self._coming = self._coming, None
        return coming[1].result() if coming and coming[0] == token else self._page(token)

    def _page(self, token: str) -> bytes:
        return self._ask({"limit": str(PAGE), **({"continue": token} if token else {})})

    def close(self) -> None:
        if self._thread:
            self._thread.shutdown(cancel_futures=True)


def identity(item: Any) -> str:
    """What no other object has, ever; objects that are only computed have no uid."""
    meta = item["metadata"]
    return str(meta.get("uid") or f"{meta.get('namespace', '')}/{meta['name']}")


def objects(read: Iterator[Page]) -> Iterator[Any]:
    """The objects of all pages, none of them twice."""
    seen: set[str] = set()
    for page in read:
        if page.first and page.last and not seen:
            yield from page.items
            return
        for item in page.items:
            each = identity(item)
            if each not in seen:
                seen.add(each)
                yield item
