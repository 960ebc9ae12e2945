"""Hosts as network namespaces: a friend, a stranger, the host under test and a container behind it.

    friend ──┐
             ├── host ── container
    stranger ┘

All traffic stays in the namespaces. `host` forwards like a Docker host; `publish` does what Docker does for a
published port. Sockets are opened inside a namespace by a thread that moved there, so nothing has to be started.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Final

FRIEND, STRANGER, HOST, CONTAINER = "friend", "stranger", "host", "container"
IPV4, IPV6 = 4, 6
FAMILIES: Final = (IPV4, IPV6)

ADDRESS: Final = {
    (FRIEND, IPV4): "10.91.1.2",
    (FRIEND, IPV6): "fd91:1::2",
    (STRANGER, IPV4): "10.91.2.2",
    (STRANGER, IPV6): "fd91:2::2",
    (CONTAINER, IPV4): "10.91.3.2",
    (CONTAINER, IPV6): "fd91:3::2",
}
HOST_ADDRESS: Final = {
    (FRIEND, IPV4): "10.91.1.1",
    (FRIEND, IPV6): "fd91:1::1",
    (STRANGER, IPV4): "10.91.2.1",
    (STRANGER, IPV6): "fd91:2::1",
    (HOST, IPV4): "10.91.1.1",
    (HOST, IPV6): "fd91:1::1",
}
"""The host's address on each one's link; a UDP answer to another would come from this one all the same."""
PATIENCE: Final = 0.4
"""Seconds without an answer after which a packet counts as dropped; an answer takes less than a millisecond."""

_CLONE_NEWNET: Final = 0x40000000
_FAMILY: Final = {IPV4: socket.AF_INET, IPV6: socket.AF_INET6}
_TYPE: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_numbers = itertools.count()


def missing() -> str | None:
    """Why namespaces cannot be made here; None where they can."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(program) is None:
            return f"needs {program} (Debian: {package})"
    name = f"videobackend-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"cannot make network namespaces here: {made.stderr.strip()}"
    command = ["ip", "netns", "exec", name, "nft", "list", "ruleset"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return f"nft does not work here: {listed.stderr.strip()}" if listed.returncode else None


class Network:
    """The four hosts. Use it as a context manager: leaving it removes everything."""

    def __init__(self) -> None:
        self._prefix = f"videobackend-{os.getpid()}-{next(_numbers)}"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Network:
        with contextlib.ExitStack() as stack:
            for name in (FRIEND, STRANGER, HOST, CONTAINER):
                self._ip("netns", "add", self._namespace(name))
                stack.callback(self._ip, "netns", "delete", self._namespace(name))
                self.run(name, "ip", "link", "set", "lo", "up")
            for number, name in enumerate((FRIEND, STRANGER, CONTAINER), start=1):
                self._link(number, name)
            self.run(HOST, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, name: str, *command: str, stdin: str | None = None) -> str:
        """Output of a command inside a host; its failure is the test's."""
        done = self.attempt(name, *command, stdin=stdin)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def attempt(self, name: str, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        line = ["ip", "netns", "exec", self._namespace(name), *command]
        return subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """A server inside a host; who starts it ends it."""
        line = ["ip", "netns", "exec", self._namespace(name), *command]
        return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def load(self, script: str) -> None:
        """`nft -f` on the host."""
        self.run(HOST, "nft", "-f", "-", stdin=script)

    def ruleset(self) -> str:
        """The host's rules without counters."""
        return self.run(HOST, "nft", "--stateless", "list", "ruleset")

    def clear(self) -> None:
        """No rules on the host, no remembered connections."""
        self.run(HOST, "nft", "flush", "ruleset")

    def publish(self, protocol: str, port: int, inside: int, *, address: str = "") -> None:
        """Docker's DNAT of a host's port to a container's, for both families or the one address."""
        at = f"ip daddr {address}" if address else "fib daddr type local"
        rules = [f"{at} {protocol} dport {port} dnat ip to {ADDRESS[CONTAINER, IPV4]}:{inside}"]
        if not address:
            rules.append(f"{at} {protocol} dport {port} dnat ip6 to [{ADDRESS[CONTAINER, IPV6]}]:{inside}")
        lines = "\n".join(rules)
        self.load(f"table inet docker {{ chain pre {{ type nat hook prerouting priority dstnat;\n{lines}\n}}\n}}\n")

    def socket(self, name: str, family: int, protocol: str) -> socket.socket:
        """A socket that lives in the namespace of `name`."""
        made: list[socket.socket] = []

        def make() -> None:
            with open(f"/run/netns/{self._namespace(name)}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(_FAMILY[family], _TYPE[protocol]))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    @contextlib.contextmanager
    def serving(self, *ports: tuple[str, str, int]) -> Iterator[None]:
        """Servers (host, protocol, port) in both families that answer everything with their host's name."""
        with contextlib.ExitStack() as stack:
            servers: dict[socket.socket, str] = {}
            for name, protocol, port in ports:
                for family in FAMILIES:
                    server = stack.enter_context(self.socket(name, family, protocol))
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == IPV6:
                        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    server.bind(("::" if family == IPV6 else "0.0.0.0", port))
                    if protocol == "tcp":
                        server.listen()
                    servers[server] = name
            wake, stop = socket.socketpair()
            stack.enter_context(wake)
            thread = threading.Thread(target=_answer, args=(servers, wake))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stop.close)
            yield

    def reach(self, client: str, port: int, *, family: int = IPV4, protocol: str = "tcp", to: str = "") -> str | None:
        """Who answers `client` at the host's port (or at the address `to`); None where nobody does in time."""
        with self.socket(client, family, protocol) as caller:
            caller.settimeout(PATIENCE)
            try:
                caller.connect((to or HOST_ADDRESS[client, family], port))
                caller.send(b"?")
                return caller.recv(64).decode() or None
            except TimeoutError:
                return None

    def _link(self, number: int, name: str) -> None:
        """A veth pair between the host (…1) and `name` (…2), which has it as its default route."""
        inner, outer = f"to{number}", "eth0"
        self.run(HOST, "ip", "link", "add", inner, "type", "veth", "peer", outer, "netns", self._namespace(name))
        for one, device, last in ((HOST, inner, 1), (name, outer, 2)):
            self.run(one, "ip", "address", "add", f"10.91.{number}.{last}/24", "dev", device)
            # Without duplicate detection, which would keep the address from use for a second.
            self.run(one, "ip", "address", "add", f"fd91:{number}::{last}/64", "dev", device, "nodad")
            self.run(one, "ip", "link", "set", device, "up")
        self.run(name, "ip", "route", "add", "default", "via", f"10.91.{number}.1")
        self.run(name, "ip", "-6", "route", "add", "default", "via", f"fd91:{number}::1")

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)


def _answer(servers: dict[socket.socket, str], wake: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([*servers, wake], [], [])
        if wake in ready:
            return
        for server in ready:
            name = servers[server].encode()
            if server.type == socket.SOCK_STREAM:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(PATIENCE)
                    connection.recv(64)
                    connection.send(name)
            else:
                _, peer = server.recvfrom(64)
                server.sendto(name, peer)
