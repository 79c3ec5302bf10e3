"""
Which partition a referral lives in: the same in every topic, for ever.

Order, the hash chain and deduplication are local to a partition, so this rule may never change
while a topic generation lives.
"""

HASHED_HEX_DIGITS = 8


def partition_of(referral_id: str, partitions: int) -> int:
    """
    Return the partition of a referral among *partitions*.

    The id is a keyed hash already, so its first 32 bits are as good as any other hash.

    >>> partition_of("0000000d" + "0" * 24, 12)
    1
    """
    return int(referral_id[:HASHED_HEX_DIGITS], 16) % partitions
