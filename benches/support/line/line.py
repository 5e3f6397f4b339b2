#!/usr/bin/env python3
"""A slow line between two network namespaces, for `scripts/bench line`.

usage: line.py NEAR FAR --rate BITS --delay MS --queue BYTES

NEAR and FAR are processes that stand in two namespaces; each gets an end of the line, 198.18.7.1 and 198.18.7.2. The
line is a program between two TUN devices, so all that crosses it are the kernel's own packets, with their slow starts
and lost tails. Each way a packet waits in the queue (what does not fit is dropped, the last first, as in a modem),
takes its bytes at RATE, and comes out DELAY later: a round trip is two delays and the packets' own time.

Commands come on standard input and are answered on standard output, a line each:
  begin [FROM-TO,...]   counts from zero; in these seconds after the first packet nothing comes through
  end                   the counts, as JSON: seconds are from the near end's first packet to its last
It ends with its input.
"""

import argparse
import collections
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SYN, ACK = 0x02, 0x10
NEAR, FAR = "198.18.7.1", "198.18.7.2"


def end_of_line(process, own, other):
    """A TUN device that is moved to the namespace of a process, where the address `other` is reached by it."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = f"line{os.getpid()}{own[-1]}"
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    inside = ["nsenter", "--target", process, "--net", "ip"]
    for command in (
        ["ip", "link", "set", name, "netns", process],
        inside + ["addr", "add", own, "peer", other, "dev", name],
        inside + ["link", "set", name, "mtu", "1500", "up"],
        inside + ["link", "set", "lo", "up"],
    ):
        subprocess.run(command, check=True)
    return device


class Way:
    """One direction: what is on its way, and what has passed."""

    def __init__(self, out):
        self.out = out
        self.free_at = 0.0
        self.under_way = collections.deque()
        self.clear()

    def clear(self):
        self.packets = self.bytes = self.payload = self.dropped = 0
        self.sent = self.fresh = self.sent_beside = self.fresh_beside = 0
        self.ends = {}

    def send(self, tcp, beside):
        """Counts what goes on the line, and what of it does for the first time in its connection."""
        source, target, _, size, number = tcp
        end = self.ends.get((source, target), number)
        # Numbers of bytes begin anywhere, and with zero again.
        ahead = (number + size - end + 2**31) % 2**32 - 2**31
        fresh = min(size, max(0, ahead))
        if ahead > 0 or (source, target) not in self.ends:
            self.ends[source, target] = (number + size) % 2**32
        self.sent, self.fresh = self.sent + size, self.fresh + fresh
        if beside:
            self.sent_beside, self.fresh_beside = self.sent_beside + size, self.fresh_beside + fresh

    def report(self):
        """What has come through; how many packets the queue did not hold; and how much payload went on the line, whether it
        came through or was lost with it: all, and on connections beside those to the first port that was called."""
        names = ("packets", "bytes", "payload", "dropped", "sent", "fresh", "sent_beside", "fresh_beside")
        return {name: getattr(self, name) for name in names}


def tcp_of(packet):
    """Ports, flags, payload size and the number of its first byte of a TCP packet; None of any other."""
    if packet[9] != 6:
        return None
    header = (packet[0] & 15) * 4
    source, target = struct.unpack_from("!HH", packet, header)
    size = struct.unpack_from("!H", packet, 2)[0] - header - (packet[header + 12] >> 4) * 4
    number = struct.unpack_from("!I", packet, header + 4)[0]
    return source, target, packet[header + 13], size, number


class Line:
    def __init__(self, options):
        self.rate, self.delay, self.queue = options.rate / 8, options.delay / 1000, options.queue
        near, far = end_of_line(options.near, NEAR, FAR), end_of_line(options.far, FAR, NEAR)
        self.ways = {near: Way(far), far: Way(near)}
        self.near = near
        self.begin([])

    def begin(self, outages):
        self.outages, self.first, self.last = outages, None, None
        self.control, self.connections, self.turns, self.far_spoke = None, 0, 0, False
        self.sessions = set()
        for way in self.ways.values():
            way.clear()

    def report(self):
        near, far = (way.report() for way in self.ways.values())
        seconds = 0.0 if self.first is None else self.last - self.first
        counts = {"connections": self.connections, "sessions": len(self.sessions), "turns": self.turns}
        return {"seconds": seconds, **counts, "near": near, "far": far}

    def is_dead(self, now):
        return self.first is not None and any(begin <= now - self.first < end for begin, end in self.outages)

    def take(self, device, packet, now):
        """A packet comes to the line."""
        if packet[0] >> 4 != 4:
            return
        way, tcp = self.ways[device], tcp_of(packet)
        if device == self.near:
            self.first, self.last = now if self.first is None else self.first, now
        if tcp:
            self.note(device, tcp)
        if self.is_dead(now):
            return
        begins = max(way.free_at, now)
        if (begins - now) * self.rate + len(packet) > self.queue:
            way.dropped += 1
            return
        if tcp and tcp[3]:
            way.send(tcp, self.control not in tcp[:2])
        way.free_at = begins + len(packet) / self.rate
        way.under_way.append((way.free_at + self.delay, packet, tcp))

    def note(self, device, tcp):
        """Who speaks: a turn is what the near end says after something of the far end's."""
        source, target, flags, size, _ = tcp
        if flags & SYN and not flags & ACK:
            self.connections += 1
            self.control = target if self.control is None else self.control
        if device != self.near:
            self.far_spoke = self.far_spoke or size > 0
        elif size > 0:
            self.sessions |= {source} if target == self.control else set()
            self.turns, self.far_spoke = self.turns + self.far_spoke, False

    def deliver(self, now):
        """Lets out what has come to its end, and tells how long until the next does."""
        waits = [1.0]
        for way in self.ways.values():
            while way.under_way and way.under_way[0][0] <= now:
                _, packet, tcp = way.under_way.popleft()
                # What was on the line when it broke is lost with it.
                if self.is_dead(now):
                    continue
                way.packets += 1
                way.bytes += len(packet)
                way.payload += tcp[3] if tcp else 0
                try:
                    os.write(way.out, packet)
                except OSError:
                    pass
            if way.under_way:
                waits.append(way.under_way[0][0] - now)
        return max(0.0, min(waits))

    def run(self):
        poll = select.poll()
        for descriptor in (*self.ways, sys.stdin.fileno()):
            poll.register(descriptor, select.POLLIN)
        print("ready", flush=True)
        while True:
            wait = self.deliver(time.monotonic())
            for descriptor, _ in poll.poll(wait * 1000):
                if descriptor in self.ways:
                    self.read(descriptor)
                elif not self.obey(sys.stdin.readline()):
                    return

    def read(self, device):
        while True:
            try:
                packet = os.read(device, 65535)
            except BlockingIOError:
                return
            self.take(device, packet, time.monotonic())

    def obey(self, command):
        words = command.split()
        if words[:1] == ["begin"]:
            spans = words[1].split(",") if len(words) > 1 else []
            self.begin([tuple(map(float, span.split("-"))) for span in spans])
            print("begun", flush=True)
        elif words == ["end"]:
            print(json.dumps(self.report()), flush=True)
        return bool(command)


parser = argparse.ArgumentParser()
parser.add_argument("near")
parser.add_argument("far")
for option in ("--rate", "--delay", "--queue"):
    parser.add_argument(option, type=float, required=True)
Line(parser.parse_args()).run()
