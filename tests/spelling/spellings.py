"""Random spellings of a thing's id. Most readers take only some of them for it: which, the reader itself is asked."""

import unicodedata

SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2009\u2028\u202f\u3000\ufeff"
IGNORED = "\u200b\u200c\u200d\u2060\ufeff\xad\u034f\u180e\ufe0f\x00\x01\x07\x1b\x7f"
MARKS = "\u0300\u0301\u0302\u0303\u0304\u0308\u030a\u0327\u0328\u0338"
ZEROS = "\u0660\u06f0\u07c0\u0966\u09e6\u0e50\u17e0\uff10\U0001d7ce\U0001d7e2\U0001d7f6\U0001e950"
SUPERSCRIPTS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
SUBSCRIPTS = dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True))
JUNK = "abc|px|-hello-world|.json| apples|,8|;x=1|n|_1|e|x7|%|/x|\x00|…|'|--|)|é|#".split("|")
# What some collation takes for the same, of one or two letters.
ALIKE = {
    "a": "AáàâäåãāªÅ𝐚ａ",
    "e": "EéèêëęěÉ℮ｅ",
    "o": "OóòôöõøºőØｏ",
    "u": "UúùûüűůÜ",
    "n": "NñńňÑⁿ",
    "s": "SšśşſßŠｓ",
    "c": "CçćčÇℂ",
    "y": "YüÜýÿŷű",
    "l": "LłĺľŀŁℓ",
    "d": "DďđðĐ",
    "z": "ZžźżŽ",
    "k": "KķK",
    "i": "IíìîïıİⅰÍ",
    "r": "RřŕŘ",
    "t": "TťţŢ",
    "h": "HħḥℎḤ",
    "ó": ["o", "O", "Ó", "ö", "o\u0301", "ò", "ó"],
    "ü": ["u", "y", "ue", "Ü", "ű", "ý", "u\u0308", "UE", "ÿ", "Y"],
    "ß": ["ss", "s", "SS", "ẞ", "ſſ", "S", "ś", "sS"],
    "ö": ["o", "oe", "Ö", "]", "œ", "ø", "o\u0308"],
    "é": ["e", "É", "E", "è", "e\u0301"],
    "ä": ["a", "ae", "\\", "Ä", "æ", "[", "á", "a\u0308"],
    "å": ["a", "aa", "[", "Å", "Å", "á", "a\u030a", "]"],
    "ç": ["c", "Ç", "c\u0327", "ć"],
    "ñ": ["n", "Ñ", "ń", "n\u0303"],
    "ú": ["u", "Ú", "ů", "u\u0301"],
    "ø": ["o", "Ø", "oe", "ö", "\\"],
    "ł": ["l", "Ł"],
    "ź": ["z", "Ź", "ž"],
    "œ": ["oe", "Œ", "OE", "ö", "o\u0117"],
    "š": ["s", "Š", "ß", "s\u030c"],
    "ḥ": ["h", "Ḥ"],
    "σ": ["ς", "Σ"],
    "ς": ["σ", "Σ"],
    "ο": ["Ο", "ό", "ὀ"],
}


def of(rng, thing: str, reader: str) -> object:
    """One spelling: a text, or what JSON has beside texts."""
    if thing.isdigit() and rng.random() < 0.12:
        return _json(rng, thing)
    if thing.isdigit():
        kinds = _NUMBER + (_WORD if reader.endswith(("_ci", "_bin")) else [])
    else:
        kinds = _UUID if reader == "uuid" else _WORD
    text = thing
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        text = rng.choice(kinds)(rng, text)
    return text


def _json(rng, number: str) -> object:
    value = int(number)
    kinds = [value, float(value), [value], [number], value + 0.5 if value < 1 << 50 else value + 1]
    return rng.choice(kinds + ([True] if value == 1 else []))


def _zeros(rng, text):
    sign, rest = (text[0], text[1:]) if text[:1] in "+-" else ("", text)
    return sign + "0" * rng.randint(1, 3) + rest


def _sign(_, text):
    return "+" + text


def _before(rng, text):
    return rng.choice(SPACES) + text


def _after(rng, text):
    return text + rng.choice(SPACES) * rng.randint(1, 2)


def _ends_in_spaces(rng, text):
    return text + " " * rng.randint(1, 4)


def _underscore(rng, text):
    at = rng.randint(0, len(text))
    return text[:at] + "_" + text[at:]


def _digits(rng, text):
    zero, share = ord(rng.choice(ZEROS)), rng.choice((1, 0.5))
    return "".join(
        chr(zero + int(letter)) if letter in "0123456789" and rng.random() < share else letter for letter in text
    )


def _raised_digits(rng, text):
    letters = rng.choice((SUPERSCRIPTS, SUBSCRIPTS))
    return "".join(letters.get(letter, letter) for letter in text)


def _fraction(rng, text):
    return text + rng.choice((".", ".0", ".00", ".9", ".5", ".1e0"))


def _exponent(rng, text):
    if text.isascii() and text.isdigit():
        return rng.choice(
            (f"{text}e0", f"{text}E+0", f"{text}e-0", f"{text}0e-1", f"0.{text}e{len(text)}", f"{text}00E-2")
        )
    return text + "e0"


def _base(rng, text):
    if text.isascii() and text.isdigit():
        return rng.choice((f"{int(text):#x}", f"0X{int(text):X}", f"{int(text):#b}", f"{int(text):#o}"))
    return text


def _junk(rng, text):
    return text + rng.choice(JUNK)


def _past_precision(_, text):
    return str(int(text) + 1) if text.isdigit() and len(text) == 16 else text


def _case(rng, text):
    return rng.choice(
        (text.upper(), text.lower(), text.swapcase(), "".join(rng.choice((c.upper(), c.lower())) for c in text))
    )


def _bare(_, text):
    return text.replace("-", "")


def _dashes(rng, text):
    text = text.replace("-", "")
    for _ in range(rng.randint(1, 5)):
        at = rng.randint(0, len(text))
        text = text[:at] + "-" + text[at:]
    return text


def _wrapped(rng, text):
    return rng.choice(("urn:uuid:{}", "{{{}}}", "uuid:{}", "{{{{{}}}", "urn:{}", "{{urn:uuid:{}}}", "{}}}")).format(
        text
    )


def _lost_zero(rng, text):
    """int(text, 16) takes a sign, a space, a base's prefix or an underscore where the first zeros stood."""
    bare = text.replace("-", "")
    if bare.startswith("00"):
        return rng.choice(("0x", " 0", "+0", "0_", "\t0", "\u3000\u3000")) + bare[2:]
    return rng.choice((" ", "+", "\xa0")) + bare[1:] if bare.startswith("0") else bare


def _alike(rng, text):
    """Some letters are changed for others that a collation may not tell from them."""
    places = [at for at, letter in enumerate(text) if letter.lower() in ALIKE]
    for at in sorted(rng.sample(places, min(len(places), rng.randint(1, 2))), reverse=True):
        text = text[:at] + rng.choice(ALIKE[text[at].lower()]) + text[at + 1 :]
    return text


def _plain_letters(_, text):
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def _normal_form(rng, text):
    return unicodedata.normalize(rng.choice(("NFD", "NFC", "NFKD")), text)


def _inserted(rng, text):
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(IGNORED) + text[at:]


def _marked(rng, text):
    at = rng.randint(1, max(1, len(text)))
    return text[:at] + rng.choice(MARKS) + text[at:]


def _wide(rng, text):
    share = rng.choice((1, 0.3))
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and rng.random() < share else c for c in text)


def _ligature(rng, text):
    letters, one = rng.choice((("fi", "ﬁ"), ("ss", "ß"), ("ae", "æ"), ("oe", "œ"), ("ue", "ü"), ("aa", "å")))
    return text.replace(letters, one, 1)


_NUMBER = 2 * [_zeros, _digits, _junk] + [
    _sign,
    _before,
    _after,
    _underscore,
    _fraction,
    _exponent,
    _base,
    _past_precision,
]
_UUID = [_case, _bare, _dashes, _wrapped, _wrapped, _lost_zero, _lost_zero, _digits, _before, _after, _underscore]
_WORD = 2 * [_case, _alike, _inserted] + [_alike, _plain_letters, _normal_form, _marked, _wide, _ligature]
_WORD += [_ends_in_spaces, _digits, _raised_digits]
