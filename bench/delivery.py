#!/usr/bin/env python3
"""Mail that ends in a mailbox: Godwit beside Postfix + Dovecot (LMTP, sdbox). Counted by IMAP STATUS.

usage: ./dev bench delivery [--runs 5] [--sessions 1,10,100] [--size 4096]
The rate counts until the last message is in its mailbox; processor time is that of all the processes of either side.
"""
import argparse
import imaplib
import os
import re
import time

from measure import LOCAL, Dovecot, Godwit, Group, Meter, Postfix, Results, free_ports, join, root_needed, settle, smtp_source, workplace

USERS, SECRET = 10, "pass"


def delivered(port):
    total = 0
    for i in range(USERS):
        client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
        client.login(f"u{i}", SECRET)
        total += int(re.search(rb"MESSAGES (\d+)", client.status("INBOX", "(MESSAGES)")[1][0]).group(1))
        client.logout()
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sessions", default="1,10,100")
    parser.add_argument("--size", type=int, default=4096)
    options = parser.parse_args()
    root_needed()
    with workplace() as folder:
        groups = [Group(f"postfix-bench-{os.getpid()}"), Group(f"dovecot-bench-{os.getpid()}")]
        port, imap, lmtp, auth = free_ports(4)
        dovecot = Dovecot(f"{folder}/dovecot", dict(imap=imap, lmtp=lmtp, auth=auth), "sdbox", SECRET, wrap=groups[1].wrap())
        postfix = Postfix(f"{folder}/postfix", port, "peer.test", transports={LOCAL: f"lmtp:inet:127.0.0.1:{lmtp}"}, maildir=False, settings="in_flow_delay = 0\n", wrap=groups[0].wrap())
        godwit = Godwit(options.program, f"{folder}/godwit", accounts=[(f"u{i}", SECRET) for i in range(USERS)])
        results = Results("delivery", folder, godwit.group)
        try:
            dovecot.start()
            postfix.start()
            groups[0].root_pid, groups[1].root_pid = postfix.master_pid(), dovecot.master_pid()
            godwit.start()
            for sessions in map(int, options.sessions.split(",")):
                for _ in range(options.runs):
                    for name in ("postfix+dovecot", "godwit"):
                        mine = name == "godwit"
                        account = [godwit.group] if mine else groups
                        # One load generator a user, as smtp-source writes to one recipient.
                        writers = min(USERS, sessions)
                        each = (6000 if mine else 600) // writers if sessions > 1 else (1000 if mine else 200)
                        count = each * writers
                        where = godwit.port(143) if mine else imap
                        before = delivered(where)
                        settle(*account)
                        with Meter(*account) as meter:
                            began = time.monotonic()
                            load = [smtp_source(godwit.port(25) if mine else port, sessions // writers, each, options.size, "load@client.test", f"u{i}@{LOCAL}") for i in range(writers)]
                            for process in load:
                                join(process)
                            while not mine and postfix.queue_length():
                                time.sleep(0.02)
                            seconds = time.monotonic() - began
                        end = time.monotonic() + 30
                        while (got := delivered(where) - before) < count and time.monotonic() < end:
                            time.sleep(0.1)
                        if got != count:
                            raise SystemExit(f"bench: {name} delivered {got} of {count}")
                        results.add(name, f"{options.size // 1024} KiB x {sessions} sessions", per_s=count / seconds, cpu_ms=meter.cpu / count * 1000, peak_mib=meter.peak_mib)
        finally:
            godwit.stop()
            postfix.stop()
            dovecot.stop()
        results.table("godwit", "postfix+dovecot", [("per_s", "delivered/s", "more"), ("cpu_ms", "CPU ms/msg", "less"), ("peak_mib", "peak MiB", "less")])
        results.save()


if __name__ == "__main__":
    main()
