"""How every bench opens and ends: its options, a folder, the peers and Godwit made, started in order, and stopped whatever happens."""
import argparse
import contextlib
import os

from measure import Dovecot, Exim, Godwit, Group, Opensmtpd, Postfix, Results, free_ports, root_needed, self_signed, workplace


def parser_of(doc, runs=5):
    """A bench's options, told by its docstring: --program, and --runs unless that is None."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    if runs is not None:
        parser.add_argument("--runs", type=int, default=runs)
    return parser


class Stage:
    """with Stage(name, program) as stage: the servers are made, then started together; the end stops those that were made.

    A peer has its Group as `group`.
    """

    def __init__(self, name, program):
        self.name, self.program = name, program
        self.servers = []

    def __enter__(self):
        root_needed()
        self.exits = contextlib.ExitStack()
        self.folder = self.exits.enter_context(workplace())
        # At once, so that no two are the same.
        self.ports = iter(free_ports(16))
        return self

    def __exit__(self, *_):
        self.exits.close()

    def take(self, thing):
        """Something else that is to be stopped at the end."""
        self.exits.callback(thing.stop)
        return thing

    def _take(self, server):
        self.servers.append(server)
        return self.take(server)

    def port(self):
        """A port that nobody listens on."""
        return next(self.ports)

    def postfix(self, transports, tls=False):
        # in_flow_delay 0: Postfix takes mail at full speed, even when its queue manager lags.
        group = Group(f"postfix-bench-{os.getpid()}")
        postfix = Postfix(f"{self.folder}/postfix", self.port(), "peer.test", transports=transports, tls=tls, maildir=False, settings="in_flow_delay = 0\n", wrap=group.wrap())
        if tls:
            # The kind of key that Godwit makes for itself.
            os.makedirs(postfix.base)
            self_signed(postfix.base, "mx.peer.test", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
        postfix.group = group
        return self._take(postfix)

    def relaying(self, name, domain, port):
        """Exim or OpenSMTPD, with this domain's mail going to a port of loopback in clear."""
        group = Group(f"{name}-bench-{os.getpid()}")
        words = (f"{self.folder}/{name}", self.port(), "peer.test", self.port())
        if name == "exim":
            peer = Exim(*words, wrap=group.wrap(), routes=f"relay:\n  driver = manualroute\n  domains = {domain}\n  transport = relay\n  route_list = * 127.0.0.1\n  self = send\n",
                        transports=f"relay:\n  driver = smtp\n  port = {port}\n  allow_localhost\n  hosts_try_fastopen =\n  hosts_avoid_tls = *\n")
        else:
            peer = Opensmtpd(*words, wrap=group.wrap(), actions=f'action bench relay host smtp+notls://127.0.0.1:{port}\nmatch from any for domain "{domain}" action bench')
        peer.group = group
        return self._take(peer)

    def dovecot(self, secret, *services, tls=False):
        """IMAP, LMTP and `services`; with TLS, those that need it."""
        group = Group(f"dovecot-bench-{os.getpid()}")
        ports = {service: self.port() for service in ("imap", "lmtp", "auth", *services)}
        dovecot = Dovecot(f"{self.folder}/dovecot", ports, "sdbox", secret, tls=tls, wrap=group.wrap())
        dovecot.group = group
        return self._take(dovecot)

    def godwit(self, **options):
        return self._take(Godwit(self.program, f"{self.folder}/godwit", **options))

    def start(self, *servers):
        """Starts these, or all that were made, in order. Returns the place for the results."""
        godwit = next(s for s in self.servers if isinstance(s, Godwit))
        results = Results(self.name, self.folder, godwit.group)
        for server in servers or self.servers:
            server.start()
            if not isinstance(server, Godwit):
                server.group.root_pid = server.master_pid()
        return results
