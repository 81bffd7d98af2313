"""TCP relays between a node and its Redis, or between two Redis, each of which can be made a bad link.

    relay.py PORT:TARGET...

Commands come as lines of JSON on standard input, each answered by a line when it holds:

    {"relay": 0, "delay": [0.005, 0.06]}   each piece is so many seconds on its way, in either direction; [0, 0] for none
    {"relay": 0, "held": true}             nothing gets through; what was sent is kept, and delivered afterwards
    {"relay": 0, "mute": true}             the same, but only for what comes back: commands are carried out, and nobody hears of it
    {"relay": 0, "refuse": true}           connections are reset, and so is every new one
    {"relay": 0, "target": 6380}           where new connections lead
    {"relay": 0, "reset": true}            connections are reset; new ones are welcome
"""

import asyncio
import json
import random
import socket
import struct
import sys


class Relay:
    """One listener and the connections through it."""

    def __init__(self, port: int, target: int):
        self.port, self.target = port, target
        self.delay, self.refuse = (0.0, 0.0), False
        self.there, self.back = asyncio.Event(), asyncio.Event()
        self.there.set()
        self.back.set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task] = set()

    async def serve(self) -> None:
        await asyncio.start_server(self.accept, "127.0.0.1", self.port, backlog=256)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        if self.refuse:
            return self.end(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return self.end(writer)
        self.writers.add(back)
        for source, sink, open in ((reader, back, self.there), (there, writer, self.back)):
            task = asyncio.create_task(self.pass_on(source, sink, open))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, open: asyncio.Event) -> None:
        """Reads as fast as it comes, so that a piece's delay is its own; writes each when its time has come."""
        pieces: asyncio.Queue = asyncio.Queue()
        clock = asyncio.get_running_loop().time

        async def write() -> None:
            while True:
                due, piece = await pieces.get()
                if due > clock():
                    await asyncio.sleep(due - clock())
                await open.wait()
                if not piece:
                    return
                sink.write(piece)
                await sink.drain()

        writing = asyncio.create_task(write())
        try:
            while True:
                piece = await source.read(1 << 16)
                pieces.put_nowait((clock() + random.uniform(*self.delay), piece))
                if not piece:
                    break
            await writing
        except OSError:
            pass
        finally:
            writing.cancel()
            self.writers.discard(sink)
            sink.close()

    def end(self, writer: asyncio.StreamWriter) -> None:
        """Ends a connection with a reset."""
        self.writers.discard(writer)
        peer = writer.get_extra_info("socket")
        if peer is not None and not writer.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def obey(self, command: dict) -> None:
        if "delay" in command:
            self.delay = tuple(command["delay"])
        if "held" in command:
            self.shut(self.there, command["held"])
        if "held" in command or "mute" in command:
            self.shut(self.back, command.get("held") or command.get("mute"))
        self.refuse = command.get("refuse", self.refuse)
        self.target = command.get("target", self.target)
        if command.get("reset") or command.get("refuse"):
            for writer in list(self.writers):
                self.end(writer)

    @staticmethod
    def shut(direction: asyncio.Event, shut: bool) -> None:
        if shut:
            direction.clear()
        else:
            direction.set()


async def main() -> None:
    relays = [Relay(*map(int, pair.split(":"))) for pair in sys.argv[1:]]
    for relay in relays:
        await relay.serve()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while line := await lines.readline():
        command = json.loads(line)
        relays[command["relay"]].obey(command)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
