"""A private Haraka on a loopback port, from the npm packages of tests/interop: its defaults, a plugin of ours in place of its delivery."""
import json
import os
import shutil
import signal
import time

from .postfix import self_signed
from .peer import Peer

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(os.path.dirname(HERE), "node_modules", "Haraka", "bin", "haraka")


class Haraka(Peer):
    """It has one process; `grey` is known again from the second attempt on until it is started anew."""

    title = "Haraka"

    def write(self):
        if not os.path.exists(PROGRAM):
            raise AssertionError(f"Haraka is not there: ./dev bootstrap test fetches it by npm into {os.path.dirname(os.path.dirname(PROGRAM))}")
        if not shutil.which("node"):
            raise AssertionError("Haraka needs node (./dev bootstrap test)")
        for folder in ("config", "plugins", "queue", "mail"):
            os.makedirs(f"{self.base}/{folder}", exist_ok=True)
        shutil.copy(os.path.join(HERE, "haraka_plugin.js"), f"{self.base}/plugins/peer.js")
        if self.tls:
            self_signed(self.base, f"mx.{self.domain}")
            shutil.copy(f"{self.base}/key.pem", f"{self.base}/config/tls_key.pem")
            shutil.copy(f"{self.base}/cert.pem", f"{self.base}/config/tls_cert.pem")
        # A file that is there replaces its own whole.
        defaults = os.path.join(os.path.dirname(PROGRAM), "..", "config")
        own = open(f"{defaults}/connection.ini").read()
        # Without it its reports to senders are empty.
        shutil.copy(f"{defaults}/outbound.bounce_message", f"{self.base}/config/")
        files = {"me": f"mx.{self.domain}\n", "loglevel": "INFO\n", "plugins": ("tls\n" if self.tls else "") + "peer\n",
                 "smtp.ini": f"listen=127.0.0.1:{self.port}\nnodes=0\n",
                 "connection.ini": own.replace("\nbytes=26214400\n", "\nbytes=52428800\n"),
                 "outbound.ini": f"enable_tls={'true' if self.tls else 'false'}\nlocal_mx_ok=true\n",
                 # Opportunistic, as it comes: with force_tls_hosts it would want a certificate that somebody vouches for.
                 "tls.ini": "rejectUnauthorized=false\n",
                 "peer.json": json.dumps(dict(mail=f"{self.base}/mail", domains=[self.domain, f"cut.{self.domain}"], users=self.users, next_hop=self.next_hop, own=self.port))}
        for name, text in files.items():
            with open(f"{self.base}/config/{name}", "w") as f:
                f.write(text)

    def command(self):
        return ["node", PROGRAM, "-c", self.base]

    def flush(self):
        os.kill(self.process.pid, signal.SIGHUP)
        time.sleep(0.1)

    def queue_length(self):
        return sum(not name.startswith((".", "__tmp")) for name in os.listdir(f"{self.base}/queue"))

    def connections(self):
        return self.log_text().count("connect ip=127.0.0.1")
