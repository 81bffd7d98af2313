"""The bodies that the apps give and the runner knows, made from nothing but their size."""


def pattern(size: int) -> bytes:
    """Bytes of every value in no short period; the Node app makes the same ones."""
    block = bytes((31 * index + (index >> 8)) & 255 for index in range(1 << 16))
    return (block * (size // len(block) + 1))[:size]
