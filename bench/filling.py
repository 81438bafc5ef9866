"""Fills a queue fast, and takes what comes out: a pipelining SMTP client for many sites, and a sink that knows when its first message came."""
import asyncio
import base64
import contextlib
import socket
import threading
import time

BATCH = 20  # Messages in flight on a connection.
PER_CONNECTION = 4000  # Under Godwit's bound on transactions.


def _message(number, sender, recipient, size):
    head = f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: number {number}\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <{number}@client.test>\r\n\r\n"
    line = f"{number:012} is the number of this message, and here is some text for it.\r\n"
    body = (head + line * (1 + max(0, size - len(head)) // len(line))).encode()
    # RFC 3030 2: BDAT needs no answer before the octets, so that whole transactions can be pipelined.
    return f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nBDAT {len(body)} LAST\r\n".encode() + body


class _Session:
    def __init__(self, port, user):
        self.port, self.user = port, user

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024 * 1024)
        await self._answers(1)
        self.writer.write(b"EHLO client.test\r\n")
        while (await self.reader.readline())[3:4] == b"-":
            pass
        if self.user[1] is not None:
            self.writer.write(b"AUTH PLAIN " + base64.b64encode(f"\0{self.user[0]}\0{self.user[1]}".encode()) + b"\r\n")
            await self._answers(1)

    async def _answers(self, count):
        for _ in range(count):
            line = await self.reader.readline()
            if line[:1] != b"2":
                raise SystemExit(f"bench: the server answers {line!r}")

    async def send(self, messages):
        self.writer.write(b"".join(messages))
        await self._answers(3 * len(messages))

    async def close(self):
        self.writer.write(b"QUIT\r\n")
        with contextlib.suppress(OSError):
            await self.reader.readline()
            self.writer.close()


async def _worker(port, user, batches, recipient_of, size):
    session, used = None, 0
    for first, count in batches:
        if session is None or used >= PER_CONNECTION:
            if session is not None:
                await session.close()
            session, used = _Session(port, user), 0
            await session.open()
        await session.send([_message(n, user[0], recipient_of(n), size) for n in range(first, first + count)])
        used += count
    if session is not None:
        await session.close()


async def _fill(port, user, sessions, count, recipient_of, size, progress):
    def batches():
        for first in range(0, count, BATCH):
            if first % 100000 == 0:
                progress(first)
            yield first, min(BATCH, count - first)
    shared = batches()
    await asyncio.gather(*(_worker(port, user, shared, recipient_of, size) for _ in range(sessions)))


def fill(port, user, sessions, count, recipient_of, size=600, progress=lambda done: None):
    """Hands in `count` messages at a submission port as `user` (address, password; without one, without AUTH), number n to recipient_of(n). Returns when all are acknowledged."""
    asyncio.run(_fill(port, user, sessions, count, recipient_of, size, progress))


class Sink:
    """An SMTP server that takes everything. It listens from start() on; first and received say when and how much came."""

    def __init__(self, port):
        self.port, self.received, self.first, self.listener = port, 0, None, None

    def start(self):
        """Once more: counts anew."""
        if self.listener:
            self.stop()
        self.received, self.first = 0, None
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        # close() alone would not end accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            lines = connection.makefile("rb")
            connection.sendall(b"220 sink.test ESMTP\r\n")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                if verb == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    self.first = self.first or time.monotonic()
                    self.received += 1
                connection.sendall(b"250 sink.test\r\n" if verb == b"EHLO" else b"250 ok\r\n")
