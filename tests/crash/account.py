"""What the daemon acknowledged, kept beside it: every answer is written down before the next
request.

A key belongs to one worker, so that its history is a line: the last acknowledged state, and what
was asked for since and never acknowledged. After the axe the daemon may show one of these, whole,
and nothing else.
"""

import collections
import hashlib
import threading

ABSENT = "absent"


class Key:
    def __init__(self):
        self.acknowledged = ABSENT
        self.asked = []


class Account:
    def __init__(self):
        self.keys = {}
        self.events = set()
        self.acknowledged = collections.Counter()  # by kind, of all rounds
        self.lock = threading.Lock()

    def ask(self, key, state):
        with self.lock:
            self.keys.setdefault(key, Key()).asked.append(state)

    def acknowledge(self, key):
        with self.lock:
            entry = self.keys[key]
            entry.acknowledged, entry.asked = entry.asked[-1], []
            self.acknowledged[key.split()[0]] += 1

    def acknowledge_event(self, identifier):
        with self.lock:
            self.events.add(identifier)
            self.acknowledged["event"] += 1

    def settle(self, key, seen):
        """None when `seen` may be; otherwise what is wrong. What was seen is true from now on."""
        entry = self.keys[key]
        if seen not in [entry.acknowledged, *entry.asked]:
            return "%s: %s, but it was acknowledged as %s%s" % (
                key, seen, entry.acknowledged,
                " (then %s was asked for)" % ", ".join(entry.asked) if entry.asked else "")
        entry.acknowledged, entry.asked = seen, []
        return None


def content(seed, size):
    """Bytes that follow from the seed: a torn object can't look like a whole one."""
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(("%s/%d" % (seed, counter)).encode()).digest()
        counter += 1
    return out[:size]


def digest(data):
    return hashlib.sha256(data).hexdigest()
