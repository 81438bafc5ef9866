"""A private OpenSMTPD on a loopback port, defaults apart from paths, routes and TLS. Needs root."""
import os
import shutil
import subprocess

from .postfix import self_signed
from .unpacked import Unpacked

CONFIG = """{certificate}
smtp max-message-size 50M
# The default is 100; nobody else counts the messages of a session.
smtp limit max-mails 100000
table users {{ {users} }}
table known {{ {known} }}
filter grey proc-exec "{base}/greylist"
listen on 127.0.0.1 port {port} hostname mx.{domain} {tls} filter grey
action here maildir "{base}/mail/%{{rcpt.user}}" virtual <users> user vmail
action out relay host {next_hop} helo mx.{domain} {verify}
{actions}
match from any for rcpt-to <known> action here
match from any for domain "example.test" action out
"""

# The first attempt at grey@ is put off, and leaves a file behind by which the second is known (smtpd-filters(7)).
GREYLIST = """#!/bin/sh
while IFS='|' read -r kind rest; do
    if [ "$kind|$rest" = 'config|ready' ]; then
        echo 'register|filter|smtp-in|rcpt-to'
        echo 'register|ready'
    elif [ "$kind" = filter ]; then
        id=$(echo "$rest" | cut -d'|' -f5,6)
        answer=proceed
        case $rest in *'|grey@'* | *'|<grey@'*)
            [ -e {seen} ] || answer='reject|451 4.7.1 Greylisted, try again'
            touch {seen}
            ;;
        esac
        echo "filter-result|$id|$answer"
    fi
done
"""


class Opensmtpd(Unpacked):
    """actions: lines of the configuration before those that every case needs (for a bench)."""

    title, package, program, accounts = "OpenSMTPD", "opensmtpd", "usr/sbin/smtpd", ("opensmtpd", "opensmtpq", "vmail")
    # Its queue, where it locks itself in, its programs, its socket.
    bound = ("/var/spool", "/var/lib", "/usr/libexec", "/run")
    users = ("user", "other", "grey")  # It has no SMTPUTF8.

    def __init__(self, *words, actions="", **more):
        super().__init__(*words, **more)
        self.actions = actions

    def write(self):
        self.make_system()
        for home in ("opensmtpd/empty", "vmail"):
            os.makedirs(f"{self.private('/var/lib')}/{home}", exist_ok=True)
        shutil.copytree(self.binary("usr/libexec/opensmtpd"), self.private("/usr/libexec") + "/opensmtpd", dirs_exist_ok=True)
        os.makedirs(f"{self.base}/mail", exist_ok=True)
        os.chown(f"{self.base}/mail", *self.identity("vmail"))
        os.makedirs(f"{self.base}/seen", exist_ok=True)
        os.chmod(f"{self.base}/seen", 0o777)
        with open(f"{self.base}/greylist", "w") as f:
            f.write(GREYLIST.format(seen=f"{self.base}/seen/grey"))
        os.chmod(f"{self.base}/greylist", 0o755)
        certificate = ""
        if self.tls:
            self_signed(self.base, f"mx.{self.domain}")
            os.chmod(f"{self.base}/key.pem", 0o600)
            certificate = f'pki own cert "{self.base}/cert.pem"\npki own key "{self.base}/key.pem"'
        # Its certificates are its own: nobody can vouch for them.
        with open(f"{self.base}/smtpd.conf", "w") as f:
            f.write(CONFIG.format(base=self.base, domain=self.domain, port=self.port, certificate=certificate, tls="tls pki own" if self.tls else "", actions=self.actions,
                                  next_hop=f"smtp+{'tls' if self.tls else 'notls'}://127.0.0.1:{self.next_hop}", verify="tls no-verify" if self.tls else "",
                                  users=", ".join(f'"{u}" = "vmail"' for u in self.users), known=", ".join(f'"{u}@{d}"' for u in self.users for d in (self.domain, f"cut.{self.domain}"))))
        os.chmod(f"{self.base}/smtpd.conf", 0o600)

    def command(self):
        return self.inside(self.binary(), "-d", "-f", f"{self.base}/smtpd.conf")

    def flush(self):
        # In the namespace of the running one, where its socket is; of the group that the installed program would be set to.
        group = self.identity("opensmtpq")[1]
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "setpriv", f"--regid={group}", "--clear-groups", self.binary("usr/sbin/smtpctl"), "schedule", "all"],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)

    def queue_length(self):
        return sum(len(name) == 16 for _, _, names in os.walk(self.private("/var/spool") + "/smtpd/queue") for name in names)

    def connections(self):
        return self.log_text().count(" smtp connected ")
