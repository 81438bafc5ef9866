"""What every peer is to the cases: a mail server on a loopback port, with maildirs to look into."""
import contextlib
import glob
import os
import signal
import smtplib
import socket
import subprocess
import time


class Peer:
    """A private server on a loopback port that delivers into maildirs under `base`/mail, one for each name of `users`.

    start() returns when the port answers, stop() ends every process, kill() does so without a word. A peer with `tls`
    offers STARTTLS and demands it of us; one without does neither. `next_hop` takes the mail for `example.test`.
    """

    title = "?"
    answers_within = 40
    users = ("user", "other", "grey", "jürgen")

    def __init__(self, base, port, domain, next_hop, tls=False, wrap=()):
        self.base, self.port, self.domain, self.next_hop, self.tls, self.wrap = base, port, domain, next_hop, tls, list(wrap)
        self.process = None

    # --- of each peer
    def write(self):
        """Writes the configuration and makes the folders."""
        raise NotImplementedError

    def command(self):
        """The words that run the server in the foreground."""
        raise NotImplementedError

    def flush(self):
        """Tries everything in the queue now."""
        raise NotImplementedError

    def queue_length(self):
        """Messages that are not delivered yet."""
        raise NotImplementedError

    def log_text(self):
        with contextlib.suppress(OSError):
            return open(f"{self.base}/output", errors="replace").read()
        return ""

    def connections(self):
        """How many SMTP connections it has taken, by its log."""
        raise NotImplementedError

    # --- of all, unless it is different
    def launch(self):
        with open(f"{self.base}/output", "ab") as output:
            self.process = subprocess.Popen([*self.wrap, *self.command()], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        os.makedirs(self.base, exist_ok=True)
        # The peer's own user has to reach its folders through those above.
        folder = self.base
        while folder not in ("/", "/tmp", "/var", "/var/tmp"):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)
        self.write()
        self.launch()
        end = time.monotonic() + self.answers_within
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    if s.recv(100).startswith(b"220"):
                        return self
            except OSError:
                pass
            if time.monotonic() > end or not self.is_running():
                self.stop()
                raise AssertionError(f"{self.title} does not answer:\n{self.log()}")
            time.sleep(0.05)

    def _end(self, number, seconds):
        if self.process is None:
            return
        group, self.process = self.process, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            group.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group.pid, signal.SIGKILL)
        group.wait()

    def stop(self):
        self._end(signal.SIGTERM, 5)

    def kill(self):
        self._end(signal.SIGKILL, 5)

    def master_pid(self):
        return self.process.pid

    def log(self):
        return self.log_text()[-4000:]

    def delivered(self, user="user"):
        """The messages in the user's maildir, whole, with CRLF line ends as they were on the wire."""
        return [open(path, "rb").read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path in sorted(glob.glob(f"{self.base}/mail/{user}/new/*"))]

    def wait_delivered(self, word, user="user", seconds=20, count=1):
        end = time.monotonic() + seconds
        while True:
            found = [m for m in self.delivered(user) if word.encode() in m]
            if len(found) >= count:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{len(found)} of {count} with {word} reached {self.title} in {seconds} s:\n{self.log()}")
            time.sleep(0.1)

    def submit(self, sender, recipients, data, options=()):
        """Hands a message to this peer as a mail client on the machine would."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo_or_helo_if_needed()
            options = list(options) + (["BODY=8BITMIME"] if max(data) > 127 else [])
            return client.sendmail(sender, recipients, data, mail_options=options)
