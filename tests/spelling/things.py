"""The things that the readers have: some get odd spellings, the others are to keep their hits."""

import uuid

NUMBERS = ["1", "7", "42", "120", "1000", "9007199254740992"]
UUIDS = [
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "0a1b2c3d-0000-4000-8000-0000000000aa",
    "00000000-0000-4000-8000-000000000007",
]
LATIN = [
    "León",
    "Müller",
    "straße",
    "Ångström",
    "café",
    "garçon",
    "ñandú",
    "smørrebrød",
    "Ärger",
    "ytter",
    "fine",
    "managua",
    "7",
    "120",
]
BEYOND = ["Łódź", "œuvre", "Škoda", "Ḥusayn", "ΟΔΟΣ"]

PLAIN_NUMBERS = ["2", "3", "10", "11", "12", "70", "421", "20240101"]
PLAIN_UUIDS = [str(uuid.UUID(int=0x6BA7B8109DAD41D180B400C04FD430C0 + (step << 96) + step)) for step in range(8)]
PLAIN_WORDS = [
    "managu",
    "apple",
    "pear",
    "Estelí",
    "Bogotá",
    "order-10",
    "order_11",
    "v1.2",
    "12",
    "70",
    "2024-01-01",
    "2024-01-02",
    "507f1f77bcf86cd799439011",
    "507f191e810c19729de860ea",
    *PLAIN_UUIDS[:2],
]

TEXTS = ["general_ci", "unicode_ci", "uca1400_ai_ci", "utf8mb4_bin", "swedish_ci", "german2_ci"]

ODD = {
    "int": NUMBERS,
    "uuid": UUIDS,
    "parseInt": NUMBERS,
    "Number": NUMBERS,
    "bigint_id": NUMBERS,
    "latin1_swedish_ci": LATIN,
    **{reader: LATIN + BEYOND for reader in TEXTS},
}

PLAIN = {
    **{reader: PLAIN_NUMBERS for reader in ("int", "parseInt", "Number", "bigint_id")},
    "uuid": PLAIN_UUIDS,
    **{reader: PLAIN_WORDS for reader in (*TEXTS, "latin1_swedish_ci")},
}

THINGS = {reader: ODD[reader] + PLAIN[reader] for reader in ODD}
