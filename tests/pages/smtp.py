"""A relay that keeps what it is given: as much of SMTP (RFC 5321) as one client that behaves needs."""

import email
import email.policy
import queue
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 relay.example ESMTP")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self.say("250-relay.example", "250-8BITMIME", "250 SMTPUTF8")
            elif verb == b"DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b".") else line)
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.server.mails.put(message)
                self.say("250 kept")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def say(self, *lines):
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())


class Relay(socketserver.ThreadingTCPServer):
    """Listens on a port of its own."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mails, self._seen = queue.Queue(), []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def mail(self, address, words):
        """The next mail to an address with these words in its subject; waits for it."""
        while True:
            for message in self._seen:
                if address in message["To"] and words in message["Subject"]:
                    self._seen.remove(message)
                    return message
            try:
                self._seen.append(self.mails.get(timeout=30))
            except queue.Empty:
                subjects = [(message["To"], message["Subject"]) for message in self._seen]
                raise SystemExit(f"no mail to {address} about {words!r}, only {subjects}") from None
