#!/usr/bin/env python3
"""Remote mail hosts of every temper, in a process of their own: good ones that note what came, slow, silent and busy ones.

usage: hosts.py LOG KIND=ADDRESS:PORT...      kinds: good slow silent busy; `ready` on standard output
LOG gets a line for each message a good host has taken ("good TIME USER") and each connection to another ("slow TIME"); TIME is CLOCK_MONOTONIC.
"""
import asyncio
import contextlib
import resource
import sys
import time

SLOW_SECONDS = 2.0  # Before each answer of a slow one.


class Hosts:
    def __init__(self, path):
        self.log = open(path, "a", buffering=1)

    def note(self, kind, *words):
        self.log.write(" ".join([kind, f"{time.monotonic():.6f}", *words]) + "\n")

    async def serve(self, kind, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if kind != "good":
                self.note(kind)
            if kind == "silent":
                await reader.read()
            elif kind == "busy":
                writer.write(b"421 4.3.2 Busy, try again later\r\n")
                await writer.drain()
            else:
                await self.talk(kind, reader, writer)
        writer.close()

    async def talk(self, kind, reader, writer):
        async def say(text):
            if kind == "slow":
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(text)
            await writer.drain()
        await say(b"220 host.test ESMTP\r\n")
        to = "?"
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                to = line.partition(b"<")[2].partition(b"@")[0].decode("latin-1")
            if verb == b"QUIT":
                return await say(b"221 bye\r\n")
            if verb == b"DATA":
                await say(b"354 go\r\n")
                while await reader.readline() not in (b".\r\n", b""):
                    pass
                if kind == "good":
                    self.note(kind, to)
            await say(b"250 ok\r\n")


async def run(path, places):
    hosts = Hosts(path)
    servers = []
    for place in places:
        kind, _, where = place.partition("=")
        address, _, port = where.rpartition(":")
        servers.append(await asyncio.start_server(lambda r, w, kind=kind: hosts.serve(kind, r, w), address, int(port), backlog=512))
    print("ready", flush=True)
    await asyncio.gather(*(s.serve_forever() for s in servers))


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    asyncio.run(run(sys.argv[1], sys.argv[2:]))
