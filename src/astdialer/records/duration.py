"""How long an audio file plays, from its headers alone: no program is run and nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GSM_FRAME = 33  #: bytes of one GSM frame
GSM_FRAME_S = 0.02  #: seconds of one GSM frame

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by MPEG version: 1, 2, 2.5
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SCAN = 64 * 1024  # a first frame that is not found within so many bytes is not there


class NotAudio(ValueError):
    """The file is not what its name says."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """The header of an MPEG layer III frame."""

    version: int
    kbits: int
    rate: int
    is_mono: bool

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    @property
    def tag_offset(self) -> int:
        """Where the Xing/Info tag is, behind header and side information."""
        if self.version == 3:
            return 4 + (17 if self.is_mono else 32)
        return 4 + (9 if self.is_mono else 17)


def duration_s(path: Path) -> float:
    """Seconds that an .mp3 or .gsm plays. Raises NotAudio or OSError."""
    return gsm_duration_s(path) if path.suffix == ".gsm" else mp3_duration_s(path)


def gsm_duration_s(path: Path) -> float:
    """Seconds that a GSM file plays, by its whole frames. Raises OSError."""
    return path.stat().st_size // GSM_FRAME * GSM_FRAME_S


def mp3_duration_s(path: Path) -> float:
    """Seconds that an MP3 plays: exact with a Xing or Info tag, else from size and first bit rate.

    Raises NotAudio, also when the file is shorter than its tag says, or OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = _behind_id3(file.read(10))
        file.seek(start)
        data = file.read(_SCAN)
    at, frame = _first_frame(data, path)
    tag = data[at + frame.tag_offset :]
    if size - start - at < _tagged_bytes(tag):
        # ffmpeg 5.1 ends with 0 on a full disk, after it has written the whole duration into the tag
        raise NotAudio(f"{path}: breaks off in the middle; the disk may be full")
    tagged = _tagged_samples(tag, frame)
    if tagged is not None:
        return tagged / frame.rate
    return (size - start - at) * 8 / (frame.kbits * 1000)


def _behind_id3(head: bytes) -> int:
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:10]:  # seven bits a byte
        size = size << 7 | byte & 0x7F
    return 10 + size


def _first_frame(data: bytes, path: Path) -> tuple[int, _Frame]:
    at = data.find(b"\xff")
    while at >= 0:
        frame = _frame(data[at : at + 4])
        if frame:
            return at, frame
        at = data.find(b"\xff", at + 1)
    raise NotAudio(f"{path}: no MPEG audio frame in it")


def _frame(head: bytes) -> _Frame | None:
    if len(head) < 4 or head[1] & 0xE0 != 0xE0 or head[1] >> 1 & 3 != 1:  # sync bits, layer III
        return None
    version, bits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bits in (0, 15) or rate == 3:
        return None
    table = _KBITS_1 if version == 3 else _KBITS_2
    return _Frame(version, table[bits], _RATES[version][rate], head[3] >> 6 == 3)


def _tagged_bytes(tag: bytes) -> int:
    if tag[:4] not in (b"Xing", b"Info") or tag[7:8] == b"" or tag[7] & 3 != 3:
        return 0
    return int.from_bytes(tag[12:16], "big")


def _tagged_samples(tag: bytes, frame: _Frame) -> int | None:
    if tag[:4] not in (b"Xing", b"Info") or not tag[7:8] or not tag[7] & 1:
        return None
    samples = int.from_bytes(tag[8:12], "big") * frame.samples
    if tag[120:124] in (b"LAME", b"Lavc", b"Lavf"):  # they tell how many samples the encoder added at both ends
        added = int.from_bytes(tag[141:144], "big")
        samples -= (added >> 12) + (added & 0xFFF)
    return max(samples, 0)
