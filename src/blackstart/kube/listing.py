"""Lists, page by page, also when the server forgets half way which list it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.kube.wire import KubeRefused

PAGE = 500
GONE = 410
STARTS = 5


@dataclass(frozen=True)
class Page:
    """Some objects of the list as it was at ``version``. ``first``: a list begins here; ``last``: it ends here."""

    items: Sequence[Any]
    version: str
    first: bool
    last: bool


def pages(ask: Callable[[Mapping[str, str]], Any]) -> Iterator[Page]:
    """Read a list with ``ask``, which takes a query. If its pages expire (410), it begins again with a first page."""
    following, starts = "", 1
    while True:
        try:
            found = ask({"limit": str(PAGE), **({"continue": following} if following else {})})
        except KubeRefused as error:
            if error.status != GONE or not following or starts == STARTS:
                raise
            following, starts = "", starts + 1
            continue
        metadata = found.get("metadata") or {}
        first, following = not following, metadata.get("continue") or ""
        yield Page(found.get("items") or (), str(metadata.get("resourceVersion", "")), first, not following)
        if not following:
            return


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
