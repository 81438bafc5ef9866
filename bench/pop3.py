#!/usr/bin/env python3
"""Downloads a mailbox over POP3, one message at a time and pipelined: Godwit beside Dovecot (sdbox).

usage: ./dev bench pop3 [--runs 5] [--messages 1000]
"""
import time

from mailload import Imap, Pop3, letter
from measure import Meter, settle
from opening import Stage, parser_of

SECRET = "pass"
AHEAD = 50


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    options = parser.parse_args()
    with Stage("pop3", options.program) as stage:
        dovecot = stage.dovecot(SECRET, "pop3")
        godwit = stage.godwit(accounts=[("reader", SECRET)])
        results = stage.start()
        for port in (dovecot.ports["imap"], godwit.port(143)):
            client = Imap(port)
            client.login("reader", SECRET)
            client.fill("INBOX", (letter(i) for i in range(options.messages)))
            client.close()
        for mode in ("one by one", "pipelined"):
            for _ in range(options.runs):
                for name, port, account in (("dovecot", dovecot.ports["pop3"], dovecot.group), ("godwit", godwit.port(110), godwit.group)):
                    settle(account)
                    with Meter(account) as meter:
                        began = time.monotonic()
                        client = Pop3(port)
                        client.command("USER reader")
                        client.command("PASS " + SECRET)
                        count = int(client.command("STAT").split()[1])
                        login = time.monotonic() - began
                        began, size = time.monotonic(), 0
                        if mode == "one by one":
                            for i in range(1, count + 1):
                                size += len(client.command(f"RETR {i}", b"\r\n.\r\n"))
                        else:
                            for first in range(1, count + 1, AHEAD):
                                numbers = range(first, min(first + AHEAD, count + 1))
                                client.socket.sendall(b"".join(b"RETR %d\r\n" % i for i in numbers))
                                for _ in numbers:
                                    size += len(client.upto(b"\r\n.\r\n"))
                        seconds = time.monotonic() - began
                        client.command("QUIT")
                        client.close()
                    if count != options.messages:
                        raise SystemExit(f"bench: {name} has {count} messages")
                    results.add(name, f"RETR of {count}, {mode}", per_s=count / seconds, mib_s=size / 1048576 / seconds, cpu_ms=meter.cpu / count * 1000, login_ms=login * 1000)
        results.table("godwit", "dovecot", [("per_s", "msg/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("login_ms", "login ms", "less")])
        results.save()


if __name__ == "__main__":
    main()
