"""A private Dovecot on loopback ports, defaults apart from paths, ports, static users and limits. Needs root."""
import os
import pwd
import socket
import subprocess
import time

from .postfix import self_signed

CONFIG = """base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
info_log_path = {base}/dovecot.log
listen = 127.0.0.1
protocols = imap pop3 lmtp
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
mail_uid = {user}
mail_gid = {user}
first_valid_uid = 100
mail_home = {base}/home/%Ln
mail_location = {format}:~/{format}
mail_max_userip_connections = 0
passdb {{
  driver = static
  args = {password}
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={base}/home/%Ln
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
}}
default_process_limit = 2048
default_client_limit = 4096
service auth {{
  client_limit = 10000
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service anvil {{
  client_limit = 10000
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service imap {{
  process_limit = 2048
}}
protocol lmtp {{
  postmaster_address = postmaster@example.test
}}
{tls}
"""


class Dovecot:
    """start() returns when IMAP answers. password None lets each user in with the user's own name."""

    def __init__(self, base, ports, mail_format="sdbox", password=None, tls=False, wrap=()):
        self.base, self.ports, self.format, self.password, self.tls, self.wrap = base, ports, mail_format, password, tls, list(wrap)

    def start(self):
        user = "godwit-peer"
        try:
            pwd.getpwnam(user)
        except KeyError:
            subprocess.run(["useradd", "-r", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", user], check=True)
        for name in ("run", "state", "home"):
            os.makedirs(f"{self.base}/{name}", exist_ok=True)
        folder = self.base
        while folder not in ("/", "/tmp", "/var", "/var/tmp"):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)
        entry = pwd.getpwnam(user)
        os.chown(f"{self.base}/home", entry.pw_uid, entry.pw_gid)
        tls = "ssl = no"
        if self.tls:
            self_signed(self.base, "localhost")
            tls = f"ssl = yes\nssl_cert = <{self.base}/cert.pem\nssl_key = <{self.base}/key.pem"
        values = dict(auth=0, imaps=0, pop3s=0, pop3=0, lmtp=0) | self.ports
        with open(f"{self.base}/dovecot.conf", "w") as f:
            f.write(CONFIG.format(base=self.base, user=user, format=self.format, tls=tls, password=f"password={self.password}" if self.password else "password=%u", **values))
        open(f"{self.base}/dovecot.log", "w").close()
        # It keeps the streams it was started with, so a pipe would never end.
        with open(f"{self.base}/start.log", "w") as log:
            done = subprocess.run([*self.wrap, "/usr/sbin/dovecot", "-c", f"{self.base}/dovecot.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode:
            raise RuntimeError("dovecot: " + open(f"{self.base}/start.log").read())
        end = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ports["imap"]), 5) as s:
                    if s.recv(100).startswith(b"* OK"):
                        return self
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"dovecot does not answer: {open(f'{self.base}/dovecot.log').read()[-2000:]}")
            time.sleep(0.05)

    def master_pid(self):
        return int(open(f"{self.base}/run/master.pid").read())

    def stop(self):
        subprocess.run(["/usr/sbin/dovecot", "-c", f"{self.base}/dovecot.conf", "stop"], capture_output=True)
