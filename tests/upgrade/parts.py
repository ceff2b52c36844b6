"""What both scripts use: an SMTP server that answers by the local part of the recipient and records what it took, and calls
of the API. Loopback only."""
import email
import json
import socketserver
import sys
import threading
import time
import urllib.request


def call(port, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
        return json.loads(text) if text else None


def until(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.2)


class Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port):
        self.taken = []
        self.hangs = threading.Event()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")
        self.wfile.flush()

    def handle(self):
        try:
            self.talk()
        except (ConnectionError, BrokenPipeError):
            pass

    def talk(self):
        self.say("220 relay")
        to = ""
        while line := self.rfile.readline():
            verb = line.decode().strip().upper()
            if verb.startswith(("EHLO", "HELO", "MAIL", "RSET", "NOOP")):
                self.say("250 ok")
            elif verb.startswith("RCPT"):
                to = line.decode().split("<")[1].split(">")[0]
                refusal = {"bad": "550 5.1.1 no such mailbox", "later": "451 4.2.0 try again later"}
                self.say(refusal.get(to.split("@")[0].rstrip("0123456789"), "250 ok"))
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                if to.startswith("hang"):
                    self.server.hangs.set()
                    self.rfile.read()
                    return
                message = email.message_from_bytes(b"".join(lines))
                with self.server.lock:
                    self.server.taken.append((to, message["Message-ID"], message["Subject"]))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("500 what")
