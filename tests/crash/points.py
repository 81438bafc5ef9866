"""Which crash point comes next, at which passing, and what the loop must do that it is passed."""
import collections
import random

# Passed once, or while the server starts or stops.
STARTING = ("start.", "store.keys_open", "store.bodies_open", "store.folder_made", "store.folder_synced", "store.first_ids_reserved",
            "blob.orphan", "scheduler.site_learnt", "caretaker.tending")
STOPPING = ("stop.", "store.stop")
BORN = ("store.format_",)                    # Only where the folder is new.
# Passed by the caretaker's first round only where something is left to clear away: an account's remains, a body file that is half dead.
CLEARING = ("caretaker.step_", "caretaker.tended", "commit.work_taken", "blob.live_bodies_read", "blob.body_relocated")
DAYS = ("outbound.expiry_",)                 # The clock is set ahead.
ASKED = ("backup.", "restore.")              # Only where an administrator asks for it.
MENDED = ("repair.", "rescue.")                       # Only where something is damaged.
IDLE = ("blob.segment_dropped", "blob.segment_unlink")  # Ten minutes later.


def is_one_of(name, prefixes):
    return name.startswith(prefixes)


class Points:
    """Round robin over all points; the passing is drawn below a bound that follows how often a point is passed in a cycle."""

    def __init__(self, names, seed, only=None):
        self.names = [name for name in names if only is None or only in name]
        self.random = random.Random(f"points-{seed}")
        self.aside = [name for name in self.names if is_one_of(name, BORN + DAYS + IDLE + ASKED + MENDED)]
        self.bound = {name: 1 if is_one_of(name, STARTING + STOPPING + CLEARING) else 3 for name in self.names}
        self.armed, self.fired = collections.Counter(), collections.Counter()
        self.turn = []

    def next(self):
        """(name, passing); ("", 0): at random."""
        if self.random.random() < 0.2 or not self.names:
            return "", 0
        if not self.turn:
            ordinary = [name for name in self.names if name not in self.aside]
            # What was armed and never fired comes more often.
            self.turn = ordinary + [name for name in ordinary if self.armed[name] and not self.fired[name]] * 2
            self.random.shuffle(self.turn)
        if not self.turn:
            return "", 0
        name = self.turn.pop()
        self.armed[name] += 1
        return name, self.random.randint(1, self.bound[name])

    def came(self, name, is_early):
        """It fired. Too early: there was no load yet."""
        self.fired[name] += 1
        if is_early and not is_one_of(name, STARTING + STOPPING):
            self.bound[name] = min(self.bound[name] * 2, 4096)

    def stayed_away(self, name):
        self.bound[name] = max(1, self.bound[name] // 2)

    def silent(self):
        return [name for name in self.names if not self.fired[name]]
