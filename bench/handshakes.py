#!/usr/bin/env python3
"""STARTTLS handshakes a second over SMTP, new and resumed: Godwit beside Postfix, both with the same kind of key.

usage: ./dev bench handshakes [--runs 5] [--count 2000] [--processes 2] [--versions 1.3,1.2]
Load: processes of Python's ssl module. Each handshake is a connection of its own: greeting, EHLO, STARTTLS, handshake, EHLO, QUIT. The load shares the
machine, so that the rate is of both together; the processor time is the server's alone. The plain runs, the same connections without
STARTTLS, say how much of it is the handshake. Both have a P-256 key, as Godwit makes it.
"""
import json
import os
import socket
import ssl
import subprocess
import sys
import time

from measure import Meter, settle
from opening import Stage, parser_of

KINDS = ("plain", "new", "resumed")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Line:
    """As little as it takes to talk SMTP."""

    def __init__(self, stream):
        self.stream, self.rest = stream, b""

    def say(self, text, wanted):
        if text:
            self.stream.sendall(text)
        while True:
            while b"\r\n" not in self.rest:
                data = self.stream.recv(16384)
                if not data:
                    raise SystemExit("handshakes: the server hung up")
                self.rest += data
            line, _, self.rest = self.rest.partition(b"\r\n")
            if line[3:4] != b"-":
                if not line.startswith(wanted):
                    raise SystemExit(f"handshakes: {line!r}")
                return


def load(port, count, kind, version):
    """`count` connections one after the other; how many sessions were resumed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[version]
    session, resumed = None, 0
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", port), 30)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(stream)
        line.say(b"", b"220")
        line.say(b"EHLO client.test\r\n", b"250")
        if kind != "plain":
            line.say(b"STARTTLS\r\n", b"220")
            stream = context.wrap_socket(stream, session=session if kind == "resumed" else None)
            resumed += stream.session_reused
            line = Line(stream)
            # Tickets of TLS 1.3 come behind the handshake, with the first answer.
            line.say(b"EHLO client.test\r\n", b"250")
            session = stream.session
        line.say(b"QUIT\r\n", b"221")
        stream.close()
    return resumed


def rush(port, count, kind, version, processes):
    """(seconds, resumed) of `count` connections by so many processes."""
    each = count // processes
    running = [subprocess.Popen([sys.executable, os.path.abspath(__file__), "--load", str(port), str(each), kind, version], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(processes)]
    found = [json.loads(p.communicate(timeout=600)[0] or "{}") for p in running]
    if not all(found):
        raise SystemExit("bench: a load process failed")
    # Its own start is not the server's doing: the longest of their own times counts.
    return max(f["seconds"] for f in found), sum(f["resumed"] for f in found)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--versions", default="1.3,1.2")
    options = parser.parse_args()
    with Stage("handshakes", options.program) as stage:
        godwit = stage.godwit()
        postfix = stage.postfix({}, tls=True)
        results = stage.start()
        for version in options.versions.split(","):
            for kind in KINDS:
                for _ in range(options.runs):
                    for name, port, group in (("postfix", postfix.port, postfix.group), ("godwit", godwit.port(25), godwit.group)):
                        settle(group)
                        with Meter(group) as meter:
                            seconds, resumed = rush(port, options.count, kind, version, options.processes)
                            settle(group, seconds=10)
                        if (kind == "resumed") != (resumed > options.count * 0.9):
                            print(f"  {name}: {resumed} of {options.count} sessions were resumed ({kind})", flush=True)
                        results.add(name, f"TLS {version}, {kind}", per_s=options.count / seconds, cpu_ms=meter.cpu / options.count * 1000, resumed=resumed)
        results.table("godwit", "postfix", [("per_s", "connections/s", "more"), ("cpu_ms", "CPU ms/connection", "less")])
        results.spread("per_s", "connections/s")
        results.save()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        start = time.monotonic()
        again = load(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
        print(json.dumps(dict(seconds=time.monotonic() - start, resumed=again)))
    else:
        main()
