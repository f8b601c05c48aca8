"""The host's side of the framed protocol, for tests."""

import json
import socket
import struct

HEADER = struct.Struct("<IBBH")
HEAD, DATA, END = 1, 2, 1
WAIT_SECONDS = 10


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def frame(kind, flags, payload):
    return HEADER.pack(len(payload), kind, flags, 0) + payload


def ends_a_reply(data):
    """Whether these bytes are whole frames, the last of which is the last of its reply."""
    ended = False
    while len(data) >= HEADER.size:
        length, _, flags, _ = HEADER.unpack(data[:HEADER.size])
        if len(data) < HEADER.size + length:
            return False
        ended, data = bool(flags & END), data[HEADER.size + length:]
    return ended and not data


def encode_request(method, target, headers, body, piece_bytes=1 << 16):
    lines = ["%s %s" % (method, target)] + ["%s: %s" % pair for pair in headers.items()]
    head = ("\n".join(lines) + "\n").encode()
    if not body:
        return frame(HEAD, END, head)
    parts = [frame(HEAD, 0, head)]
    for offset in range(0, len(body), piece_bytes):
        last = offset + piece_bytes >= len(body)
        parts.append(frame(DATA, END if last else 0, body[offset:offset + piece_bytes]))
    return b"".join(parts)


class FramedClient:
    """One connection to an instance."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def request(self, method, target, headers, body=b""):
        self.send(method, target, headers, body)
        return self.receive()

    def send(self, method, target, headers, body=b""):
        self.socket.sendall(encode_request(method, target, headers, body))

    def send_post(self, data):
        self.send("POST", "/", {"content-type": "application/json"}, json.dumps(data).encode())

    def post(self, data):
        self.send_post(data)
        return self.receive()

    def read_exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the instance closed the connection")
            data += part
        return data

    def read_frame(self):
        length, kind, flags, zero = HEADER.unpack(self.read_exactly(8))
        assert zero == 0 and length <= 1 << 20, (length, zero)
        return kind, flags & END, self.read_exactly(length)

    def receive(self):
        kind, ended, payload = self.read_frame()
        assert kind == HEAD, kind
        lines = payload.decode().split("\n")
        assert lines.pop() == "", "the head must end with a line break"
        headers = dict(line.split(": ", 1) for line in lines[1:])
        body = []
        while not ended:
            kind, ended, payload = self.read_frame()
            assert kind == DATA, kind
            body.append(payload)
        return Reply(int(lines[0]), headers, b"".join(body))
