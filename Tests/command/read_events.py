"""Reads the event files of a folder and checks all checksums.

Prints "step tag value" for scalars and "step tag WxH" for pictures.

Shares no code with the writer.
"""

import pathlib
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def fields(data):
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        if key & 7 == 0:
            value, place = varint(data, place)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, place = varint(data, place)
            value, place = data[place : place + size], place + size
        yield key >> 3, value


def records(data):
    place = 0
    while place < len(data):
        length, head = struct.unpack_from("<QI", data, place)
        content = data[place + 12 : place + 12 + length]
        (tail,) = struct.unpack_from("<I", data, place + 12 + length)
        assert head == masked(data[place : place + 8]) and tail == masked(content), "checksum"
        yield content
        place += 16 + length


for path in sorted(pathlib.Path(sys.argv[1]).glob("events.out.tfevents.*")):
    for number, record in enumerate(records(path.read_bytes())):
        event = dict(fields(record))
        if number == 0:
            assert event[3] == b"brain.Event:2"
        if 7 in event:
            print(event.get(2, 0), "session starts")
        for _, value in fields(event.get(5, b"")):
            content = dict(fields(value))
            tag = content[1].decode()
            if 2 in content:
                print(event.get(2, 0), tag, struct.unpack("<f", content[2])[0])
            if 4 in content:
                image = dict(fields(content[4]))
                assert struct.unpack(">II", image[4][16:24]) == (image[2], image[1]), "size"
                print(event.get(2, 0), tag, f"{image[2]}x{image[1]}")
