"""What a secret looks like: the rules of `redaction`. Pure; every repeat is bounded, so each is linear in the text."""

from __future__ import annotations

import re
from collections.abc import Callable

Replacement = Callable[[re.Match[str]], str]


def marked(what: str) -> str:
    """What stands where a secret stood."""
    return f"[redacted: {what}]"


def _whole(what: str) -> Replacement:
    return lambda _: marked(what)


def _after(what: str) -> Replacement:
    """Keep the groups ``before`` and ``after``; the rest was secret."""
    return lambda found: found["before"] + marked(what) + found["after"]


AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", re.A)
AWS_SECRET = re.compile(r"(?![0-9a-f]{40}$)(?=[^/+=]*[A-Z/+])[A-Za-z0-9/+]{40}", re.A)
_NEAR = 300
_NEAR_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=])(?![0-9a-f]{40}(?![A-Za-z0-9/+=]))[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", re.A
)
KEY_OPEN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?!(?s:.)*?-----END )")
_BORDER = r"[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY = re.compile(rf"-----BEGIN {_BORDER}.*?(?:-----END {_BORDER}|\Z)", re.S)
PLAIN = re.compile(
    r"\[redacted: [a-z -]+\]|bs-[0-9a-f]{12}|arn:[\w-]+:.*|\*+|<[^<>]*>"
    r"|(?i:true|false|null|none|yes|no|required|missing)",
    re.A,
)
"""Values under the name of a secret that are none: its ARN, a change's id, a word, what is hidden already."""
TELLS = re.compile(r"(?i:(?:.*_)?(?:name|namespace|arn|kind|type|region|id|file|path|version|created|expires))")
"""Keys below a secret that tell which one it is."""
NUMBERS = ("password", "secret", "card number")

_WORDS = (
    (r"pass(?:word|wd|phrase|code)?s?|pwd|pgpassword|redis_?cli_?auth", "password"),
    (r"(?:secret|private|signing|encryption|account|shared)[_-]?(?:access[_-]?)?keys?|secrets?", "secret"),
    (r"tokens?|bearer|jwt|cookies?|set-cookie|session[_-]?id|signature|x-amz-credential", "token"),
    (r"(?:api|access|auth)[_-]?keys?(?:[_-]?id)?|apikeys?|credentials?|authorization|auth", "credential"),
    (r"client-key-data|client-certificate-data|certificate-authority-data", "kubeconfig data"),
    (r"card[_-]?(?:number|no)|pan|cvv2?|cvc2?", "card number"),
    (r"e-?mails?(?:[_-]?address(?:es)?)?", "e-mail address"),
    (r"iban", "iban"),
)
_NAMES = tuple((re.compile(rf"(?i)(?:.*[_.\-])?(?:{words})", re.A), what) for words, what in _WORDS)
_NO_NAMES = re.compile(
    r"(?i)(?:.*[_.\-])?(?:client|next|pagination|continuation|idempotency|page|request)[_-]?tokens?|max[_-]?tokens?"
    r"|(?:aws_)?access[_-]?key[_-]?ids?",
    re.A,
)
"""Names that sound like a secret's and are not: of pages, of calls that may be repeated, and the public half of a key,
which has a rule of its own."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def secret_name(key: str) -> str:
    """What the value under ``key`` is, if the name says that it is a secret; else ""."""
    if len(key) > 100:
        return ""
    name = _CAMEL.sub("_", key)
    if _NO_NAMES.fullmatch(name):
        return ""
    return next((what for pattern, what in _NAMES if pattern.fullmatch(name)), "")


_NAMED = re.compile(
    r"""(?<![A-Za-z0-9_.-])(?:--?)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]{1,80})"""
    r"""(?:(?:\\?["'])?[ \t]{0,3}[:=]>?[ \t]{0,3}|(?<=[\w-])[ ])""",
    re.A,
)
_VALUE = re.compile(r"""\\?"(?:[^"\\\n]|\\(?!")|\\\\"){1,4096}\\?"|'[^'\n]{1,4096}'|[^\s"'\\,;&}\])]{1,4096}""", re.A)
_SCHEMES = ("basic", "bearer", "token", "digest", "negotiate")
_QUOTES = "\\\"'"


def _assignments(text: str) -> str:
    """``name=value``, ``name: value``, ``"name": "value"`` and ``--name value``, where the name is of a secret."""
    pieces, done = [], 0
    for found in _NAMED.finditer(text):
        if found.end() < done or not _assigns(found):
            continue
        what = secret_name(found["name"])
        value = _VALUE.match(text, found.end()) if what else None
        bare = value[0].strip(_QUOTES) if value else ""
        if (
            value
            and bare
            and not bare.startswith("[redacted:")
            and not PLAIN.fullmatch(bare)
            and bare.lower() not in _SCHEMES
        ):
            opening, closing = value[0].partition(bare)[::2]
            pieces += [text[done : value.start()], opening, marked(what), closing]
            done = value.end()
    return "".join((*pieces, text[done:]))


def _is_secret(bare: str) -> bool:
    return (
        bool(bare) and not bare.startswith("[redacted:") and not PLAIN.fullmatch(bare) and bare.lower() not in _SCHEMES
    )


def _assigns(found: re.Match[str]) -> bool:
    """Not in the middle of an ARN (``…:secret:name``); and a blank alone does so only after ``--name``."""
    told, before = found[0].rstrip(" \t"), found.string[found.start() - 1 : found.start()]
    if told.endswith((":", "=", ">")):
        return not (before == ":" and found[0].endswith(":"))
    return found[0].startswith("-")


def _aws_keys(text: str) -> str:
    """Both halves of an AWS key: the secret one is known by standing near the other."""
    pieces, done = [], 0
    for found in AWS_ID.finditer(text):
        start, end = max(done, found.start() - _NEAR), min(len(text), found.end() + _NEAR)
        if end > done:
            pieces += [text[done:start], _NEAR_SECRET.sub(marked("aws key"), text[start:end])]
            done = end
    return AWS_ID.sub(marked("aws key"), "".join((*pieces, text[done:])))


def _card(found: re.Match[str]) -> str:
    digits = [int(each) for each in found[0] if each.isdigit()]
    doubled = [each if number % 2 == 0 else sum(divmod(2 * each, 10)) for number, each in enumerate(reversed(digits))]
    return marked("card number") if sum(doubled) % 10 == 0 else found[0]


def _iban(found: re.Match[str]) -> str:
    plain = found[0].replace(" ", "")
    turned = "".join(str(int(each, 36)) for each in plain[4:] + plain[:4])
    return marked("iban") if 15 <= len(plain) <= 34 and int(turned) % 97 == 1 else found[0]


_COUNTRIES = (
    "AD|AE|AL|AT|AZ|BA|BE|BG|BH|BR|BY|CH|CR|CY|CZ|DE|DK|DO|EE|EG|ES|FI|FO|FR|GB|GE|GI|GL|GR|GT|HR|HU|IE|IL|IQ|IS|IT|JO"
    "|KW|KZ|LB|LC|LI|LT|LU|LV|LY|MC|MD|ME|MK|MR|MT|MU|NL|NO|PK|PL|PS|PT|QA|RO|RS|SA|SC|SE|SI|SK|SM|SV|TL|TN|TR|UA|VA|VG|XK"
)
_KEYS = (
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,64}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-[A-Za-z0-9-]{10,250}|AIza[A-Za-z0-9_-]{35}|gl(?:sa|c)_[A-Za-z0-9_=+/-]{20,500}"
    r"|[spr]k_(?:live|test)_[A-Za-z0-9]{10,250}|sk-[A-Za-z0-9_-]{20,250}|hvs\.[A-Za-z0-9_-]{20,250}"
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{20,500}|k8s-aws-v1\.[A-Za-z0-9_-]{20,4096}"
)
_URL = r"[A-Za-z][A-Za-z0-9+.-]{1,20}://"

_PATTERNS: tuple[tuple[str, Replacement], ...] = (
    (rf"(?P<before>(?<![A-Za-z0-9+.-]){_URL}[^/\s:@\"'?#]{{0,200}}:)(?!\[redacted: )[^/\s@\"']{{1,500}}(?P<after>@)",
     _after("password")),
    (r"(?P<before>https://hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_-]{8,200}(?P<after>)",
     _after("slack webhook")),
    (r"(?P<before>(?i:\b(?:proxy-)?authorization\b\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?"
     r"(?:(?:basic|bearer|token|digest|negotiate)\s{1,3})))(?!\[redacted: )[^\s\"',;\\]{3,4096}(?P<after>)",
     _after("credential")),
    (r"(?P<before>\b(?i:bearer|basic)\s{1,3})(?=[A-Za-z0-9._~+/=-]{0,200}[0-9A-Z=])[A-Za-z0-9._~+/-]{12,4096}={0,2}"
     r"(?P<after>)",
     _after("token")),
    (r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{5,8192}(?:\.[A-Za-z0-9_-]{0,4096}){0,3}",
     _whole("token")),
    (rf"(?<![A-Za-z0-9_])(?:{_KEYS})", _whole("api key")),
)  # fmt: skip
_PERSONAL: tuple[tuple[str, Replacement], ...] = (
    (r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])", _whole("e-mail address")),
    (
        rf"(?<![A-Za-z0-9_-])(?:{_COUNTRIES})[0-9]{{2}} ?(?:[A-Z0-9]{{4}} ?){{2,7}}[A-Z0-9]{{1,4}}(?![A-Za-z0-9_-])",
        _iban,
    ),
    (r"(?<![\w.-])(?:3[04-9]|[456][0-9]|2[2-7])(?:[ -]?[0-9]){11,17}(?![\w-]|\.[0-9])", _card),
)


def _replaced(pattern: str, replacement: Replacement) -> Callable[[str], str]:
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(replacement, text)


RULES: tuple[Callable[[str], str], ...] = (
    lambda text: _PRIVATE_KEY.sub(marked("private key"), text),
    _aws_keys,
    *(_replaced(*each) for each in _PATTERNS),
    _assignments,
    *(_replaced(*each) for each in _PERSONAL),
)
"""In this order: what is told by its shape first, then what is told by its name."""
HINT = re.compile(
    r"@|://|-----BEGIN|eyJ|A[KS]IA[A-Z0-9]|[:=]|(?i:bearer|basic)\s|\bgh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|AIza"
    r"|gl(?:sa|c)_|[spr]k[_-]|hvs\.|npm_|pypi-|k8s-aws|[A-Z]{2}\d\d|(?:\d[ -]?){12}|(?:^|\s)--?[A-Za-z]"
)
"""Whether a text may hold anything of the above: most have none of it."""
