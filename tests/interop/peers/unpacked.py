"""Mail servers that would push Postfix out if they were installed: unpacked Debian packages, run in a mount namespace of their own.

`./dev bootstrap test` puts them into build/peers. What they have compiled in (users, a spool folder) is bound over in
the namespace, so that nothing of it is left on the machine. Needs root.
"""
import os
import shlex

from .peer import Peer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
UNPACKED = os.environ.get("GODWIT_PEERS") or os.path.join(ROOT, "build", "peers")
FIRST_ID = 64500  # Of the users that exist in the namespace only.


class Unpacked(Peer):
    """`package` is its folder in build/peers, `program` a path in it, `accounts` the users it has compiled in, `bound`
    absolute folders of the system in whose place it sees private ones."""

    package, program, accounts, bound = "?", "?", (), ()

    def binary(self, path=None):
        path = os.path.join(UNPACKED, self.package, path or self.program)
        if not os.path.exists(path):
            raise AssertionError(f"{self.title} is not there: ./dev bootstrap test fetches the Debian package {self.package} into {UNPACKED}")
        return path

    def private(self, folder):
        """What the peer sees as `folder`."""
        return os.path.join(self.base, "system", folder.strip("/").replace("/", "-"))

    def identity(self, account):
        """(uid, gid) of one of its accounts."""
        number = FIRST_ID + self.accounts.index(account)
        return number, number

    def inside(self, *words):
        """Words that run `words` where the peer's users and folders are."""
        # Mounts of the namespace are not seen outside, whatever the system's own propagation.
        binds = [f"mount --bind {shlex.quote(self.private(f))} {f}" for f in ("/etc/passwd", "/etc/group", *self.bound)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(binds) + ' && exec "$@"', "sh", *words]

    def make_system(self):
        """The private folders, and lists of users with this peer's."""
        for folder in self.bound:
            os.makedirs(self.private(folder), exist_ok=True)
        os.makedirs(os.path.join(self.base, "system"), exist_ok=True)
        for name, line in (("/etc/passwd", "{0}:x:{1}:{1}::/var/lib/{0}:/usr/sbin/nologin\n"), ("/etc/group", "{0}:x:{1}:\n")):
            kept = [l for l in open(name) if l.split(":")[0] not in self.accounts]
            with open(self.private(name), "w") as f:
                f.writelines(kept + [line.format(a, self.identity(a)[0]) for a in self.accounts])
