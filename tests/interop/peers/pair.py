"""Postfix and Dovecot on the ports that Godwit would have: a second opinion on the cases themselves (run --peer)."""
import os

from harness import ACCOUNTS, DISCARD, DOMAIN, World, free_ports
from .dovecot import Dovecot
from .postfix import Postfix

SERVICES = """127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_tls_security_level=may -o smtpd_tls_auth_only=no
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""


class PeerWorld(World):
    def __init__(self, folder):
        super().__init__("/bin/false", folder)
        auth, = free_ports(1)
        base = os.path.join(folder, "dovecot")
        self.dovecot = Dovecot(base, {n: self.port(n) for n in ("imap", "imaps", "pop3", "pop3s", "lmtp")} | {"auth": auth}, tls=True)
        settings = f"""mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = inline:{{ {', '.join(f'{n}@{DOMAIN}=x' for n in ACCOUNTS)} }}
virtual_transport = lmtp:inet:127.0.0.1:{self.port('lmtp')}
relay_domains = {DISCARD}, {', '.join(self.peer_ports)}
recipient_delimiter = +
smtpd_discard_ehlo_keywords =
smtp_tls_security_level = may
"""
        self.postfix_main = Postfix(os.path.join(folder, "postfix"), self.port("smtp"), "main.test", tls=True, maildir=False, settings=settings,
                                    services=SERVICES.format(submission=self.port("submission"), submissions=self.port("submissions")),
                                    transports={DISCARD: "discard:", "held.test": "retry:"} | {domain: f"smtp:[127.0.0.1]:{port}" for domain, port in self.peer_ports.items()})

    def start(self):
        self.dovecot.start()
        self.postfix_main.start()
        os.makedirs(os.path.dirname(self.ca), exist_ok=True)
        with open(self.ca, "w") as out:
            for server in (self.dovecot, self.postfix_main):
                out.write(open(server.base + "/cert.pem").read())
        return self

    def stop(self):
        self.postfix_main.stop()
        self.dovecot.stop()
        return 0
