"""The frame size that an AV1 bitstream announces (AV1 Bitstream & Decoding Process Specification, 5.3 to 5.5). Pure.

An AVIF says in its properties how large its picture is, and the decoder goes by its bitstream: the two may differ.
"""

from __future__ import annotations

_SEQUENCE_HEADER = 1
_TEMPORAL_UNIT_START = 2


def frame_size(data: bytes) -> tuple[int, int] | None:
    """The largest width and height of the sequence that ``data`` begins with, in pixels; None where it tells none."""
    at = 0
    try:
        while True:
            kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
            at += 1 + extended
            length, at = _leb128(data, at) if sized else (len(data) - at, at)
            if kind == _SEQUENCE_HEADER:
                return _sequence_header(_Bits(data[at : at + length]))
            if kind != _TEMPORAL_UNIT_START:
                return None
            at += length
    except IndexError:
        return None


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of at most eight bytes (4.10.5), and the offset after it."""
    value = 0
    for index in range(8):
        value |= (data[at + index] & 0x7F) << 7 * index
        if not data[at + index] & 0x80:
            return value, at + index + 1
    raise IndexError


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:512], "big"), 8 * min(len(data), 512)

    def take(self, count: int) -> int:
        """The next bits as a number. Raises IndexError at the end."""
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & (1 << count) - 1


def _sequence_header(bits: _Bits) -> tuple[int, int]:
    bits.take(3)  # seq_profile
    bits.take(1)  # still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)  # seq_level_idx
    else:
        _operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(32)
        bits.take(32)
        if bits.take(1):  # equal_picture_interval
            _skip_uvlc(bits)
        if bits.take(1):  # decoder_model_info_present_flag
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)  # operating_point_idc
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)  # seq_tier
        if delay_bits and bits.take(1):  # decoder_model_present_for_this_op
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)


def _skip_uvlc(bits: _Bits) -> None:
    """A number of variable length (4.10.3)."""
    zeros = 0
    while not bits.take(1):
        zeros += 1
    if zeros < 32:
        bits.take(zeros)
