"""A planted service in a process of its own, ``apart.py ADDRESS PORT``, for tests that hold up their own process.

Says "listening" once it is, and ends with its standard input.
"""

import asyncio
import sys

from conftest import listening


async def serve(ip: str, port: int) -> None:
    async with listening(ip, port):
        print("listening", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
