"""What is done to a file: the same for the same random state. Bytes are hit blindly and where formats keep numbers."""

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXTREMES = (
    0,
    1,
    2,
    255,
    256,
    2**15 - 1,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 2,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
# boxes of MP4 whose numbers are sizes, counts, times, places and rotations
_BOX_NAMES = """
ftyp moov mvhd trak tkhd edts elst mdia mdhd hdlr minf stbl stsd avc1 avcC hvc1 hvcC mp4v esds vp09 vpcC mp4a stts ctts
stsc stsz stco stss sgpd sbgp moof mfhd traf tfhd tfdt trun mfra tfra mdat pasp colr
"""
# elements of Matroska: sizes, times, codecs, clusters, blocks, cues, lacing
_ELEMENT_IDS = """
1a45dfa3 4282 18538067 114d9b74 1549a966 2ad7b1 4489 1654ae6b ae d7 83 23e383 86 63a2 e0 b0 ba 1c53bb6b bb b3 b7 f1
1f43b675 e7 a3 a0 a1 9b fb 1254c367
"""
_BOXES = tuple(name.encode() for name in _BOX_NAMES.split())
_ELEMENTS = tuple(bytes.fromhex(name) for name in _ELEMENT_IDS.split())
_MARKERS = tuple(bytes([0xFF, code]) for code in (0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xED, 0xFE))
_TOKENS = (
    *("", " ", "-1", "0", "-0.0", "1e309", "-1e309", "nan", "inf", "NaN", "Infinity", "1e-400", "1/0", "0x10", "1_000"),
    *("65536", "1000000", "2147483647", "4294967296", "9" * 40, "true", "null", "~", "[]", "{}", "[[[[", "]]]]"),
    *(":", ": ", "- ", "#", "'", '"', "&a", "*a", "!!python/name:os.system", "!!binary x", "|", ">", "%", "@", "`"),
    *("\t", "\x00", "\x1b[31m", "\u202e", "\u00e9\u4e16", "\ufeff", "\r", "\x85", "\u2028", "\ud83d\ude00"),
    *("../../etc/passwd", "/", ".", "..", "${oc.env:HOME}", "${missing}", "_target_", "_target_: os.system"),
    *("<script>", "a,b,c", ";", "\\", "A" * 5000, "[" * 3000, '{"a":' * 3000, "- " * 3000),
)


def flipped(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Single bits or whole bytes at up to 32 places."""
    out = bytearray(data)
    for _place in range(rng.choice((1, 1, 2, 4, 8, 32))):
        place = rng.randrange(len(out))
        out[place] = out[place] ^ 1 << rng.randrange(8) if rng.random() < 0.5 else rng.randrange(256)
    return bytes(out)


def truncated(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Cut off anywhere, at nothing as well."""
    return data[: rng.randrange(len(data))]


def deleted(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A part is gone."""
    start, stop = _part(rng, data)
    return data[:start] + data[stop:]


def doubled(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A part stands twice, or a few times."""
    start, stop = _part(rng, data)
    return data[:start] + data[start:stop] * rng.choice((2, 2, 3, 8)) + data[stop:]


def inserted(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Random bytes come in between."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 4, 16, 256, 4096))) + data[place:]


def blanked(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A part is zeros, or all ones."""
    start, stop = _part(rng, data)
    return data[:start] + rng.choice((b"\0", b"\0", b"\xff")) * (stop - start) + data[stop:]


def spliced(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The head of one file and the tail of another."""
    other = rng.choice(others)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def extreme(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number in the head or the tail of the file is 0, a power of two, or all ones."""
    out = bytearray(data)
    for _number in range(rng.choice((1, 1, 2, 4))):
        reach = min(len(out), rng.choice((64, 512, 2048, len(out))))
        place = rng.randrange(reach) if rng.random() < 0.7 else len(out) - 1 - rng.randrange(reach)
        _put(rng, out, place)
    return bytes(out)


def field_after(names: Sequence[bytes]) -> Mutation:
    """Makes a mutation that hits a number shortly after one of some tags, so that most of the file stays sound."""

    def mutate(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
        places = [found.end() for name in names for found in re.finditer(re.escape(name), data)]
        if not places:
            return extreme(rng, data, ())
        out = bytearray(data)
        for _number in range(rng.choice((1, 1, 2, 3))):
            # the size of an MP4 box stands before its tag
            _put(rng, out, max(0, rng.choice(places) + rng.choice((-8, 0, 0, 1, 4, 8, 12, 16, rng.randrange(48)))))
        return bytes(out)

    return mutate


def png_chunk(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A chunk of a PNG file is damaged and its checksum right, so that the damage gets past the first check."""
    chunks, place = [], len(_SIGNATURE)
    while place + 12 <= len(data):
        size = struct.unpack_from(">I", data, place)[0]
        chunks.append((data[place + 4 : place + 8], bytearray(data[place + 8 : place + 8 + size])))
        place += size + 12
    chosen = rng.randrange(len(chunks))
    name, body = chunks[chosen]
    if name == b"IDAT" and rng.random() < 0.7:
        pixels = bytearray(zlib.decompress(bytes(body)))
        chunks[chosen] = name, bytearray(zlib.compress(rng.choice((flipped, truncated, doubled))(rng, pixels, ())))
    elif body:
        _put(rng, body, rng.randrange(len(body)))
    if rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(chunks))
    parts = [struct.pack(">I", len(body)) + name + body + _crc(name + body) for name, body in chunks]
    return _SIGNATURE + b"".join(parts)


def safetensors_header(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The JSON in front of the tensors is damaged as text, and its length right."""
    size = struct.unpack_from("<Q", data)[0]
    head = retyped(rng, data[8 : 8 + size], ())
    return struct.pack("<Q", len(head)) + head + data[8 + size :]


def model_card(key: str) -> Mutation:
    """Makes a mutation of the card in the JSON in front of the tensors, which is JSON itself: all else stays sound."""

    def mutate(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
        size = struct.unpack_from("<Q", data)[0]
        head = json.loads(data[8 : 8 + size])
        card = retyped(rng, head["__metadata__"][key].encode(), ())
        head["__metadata__"][key] = card.decode(errors="replace")
        changed = json.dumps(head).encode()
        return struct.pack("<Q", len(changed)) + changed + data[8 + size :]

    return mutate


def zip_member(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A member of a zip file is damaged and its checksum right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    # the pickle has the structure, and is one of very many
    pickles = [name for name in members if name.endswith(".pkl")]
    chosen = rng.choice(pickles) if rng.random() < 0.8 else rng.choice(list(members))
    mutate = rng.choice((flipped, flipped, truncated, deleted, doubled, extreme, blanked))
    members[chosen] = mutate(rng, members[chosen] or b"\0", ())
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return written.getvalue()


def retyped(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Words and signs of a text are left out, doubled, exchanged, or replaced by what readers stumble over."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", data.decode(errors="replace"))
    for _place in range(rng.choice((1, 1, 2, 3, 6))):
        place = rng.randrange(len(tokens))
        what = rng.random()
        if what < 0.55:
            tokens[place] = rng.choice(_TOKENS)
        elif what < 0.7:
            tokens[place] = ""
        elif what < 0.8:
            tokens[place] *= 2
        else:
            other = rng.randrange(len(tokens))
            tokens[place], tokens[other] = tokens[other], tokens[place]
    return "".join(tokens).encode(errors="surrogatepass")


def relined(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A line of a text is left out, doubled, moved, indented or comes from another file."""
    lines = data.splitlines(keepends=True) or [b"\n"]
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    foreign = rng.choice(rng.choice(others).splitlines(keepends=True) or [b""])
    changes = ([], [lines[place]] * 2, [lines[other]], [b"  " + lines[place]], [foreign], [lines[place], foreign])
    return b"".join([*lines[:place], *rng.choice(changes), *lines[place + 1 :]])


BYTES = (flipped, flipped, flipped, truncated, deleted, doubled, inserted, blanked, spliced, extreme, extreme)
# those that do not look for a sound structure
AGAIN = (flipped, truncated, deleted, doubled, inserted, blanked)
TEXT = (*(retyped,) * 5, *(relined,) * 2, flipped, truncated, inserted, spliced, blanked)
MP4 = (*BYTES, *(field_after(_BOXES),) * 8)
MATROSKA = (*BYTES, *(field_after(_ELEMENTS),) * 6)
PNG = (*BYTES, *(png_chunk,) * 8)
JPEG = (*BYTES, *(field_after(_MARKERS),) * 6)
SAFETENSORS = (*BYTES, *(safetensors_header,) * 6, *(model_card("facestab"),) * 6)
CHECKPOINT = (*BYTES, *(zip_member,) * 10)


def _part(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 4, 16, 64, 256, 1024, max(1, len(data) // 3))))


def _put(rng: random.Random, out: bytearray, place: int) -> None:
    size = rng.choice((1, 2, 4, 4, 4, 8))
    number = rng.choice((*_EXTREMES, rng.getrandbits(8 * size))) % 2 ** (8 * size)
    place = max(0, min(place, len(out) - size))
    out[place : place + size] = number.to_bytes(size, rng.choice(("big", "big", "little")))[: len(out) - place]


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
