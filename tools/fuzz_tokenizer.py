#!/usr/bin/env python3
"""Compares `clipnext tokenize` with open_clip's SimpleTokenizer on generated strings.

    .oracle/bin/python tools/fuzz_tokenizer.py --clipnext build/clipnext [--count 10000] [--seed 0]

Prints each difference, cut down to a short string that still differs, and exits with 1 if there is
any. The reference is open_clip_torch 3.3.0 with ftfy 6.3.1 and regex 2022.10.31 on Python 3.11
(./dev oracle makes that environment). Code points are those that Python's unicodedata knows as
assigned, so that what Unicode added later, where tables differ by version, is left out; lone
surrogates, which UTF-8 cannot hold, are too.
"""
import argparse
import html.entities
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

from open_clip.tokenizer import SimpleTokenizer

WORDS = """a an the photo of my cat dog red blue two 3 2024 running in on with photograph painting
itap isn't they're we've I'm you'll he'd rock'n'roll close-up snake_case C++ e-mail iPhone13 naïve
café Über straße ÉCOLE jalapeño Ångström résumé co-op 10th 3.14 $5 50% #1 @home U.S.A. o'clock""".split()
PAGES = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2",
         "macroman", "cp437"]
SPACES = "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
QUOTES = "'\"`´‘’‚‛“”„‟ʼ«»‹›"
CASE = "İıſẞßΣσςΐŉǆǅΩKÅᾳᾈﬁﬆԱև\u0345ΆῼⅣⓐꟊ"
EMOJI = "😀👨👩👧👦❤🏳🌈🇩🇪🇫🇷✋🏽🏿👩‍🔬☺♀♂⚽🤷"
JOINERS = "\u200d\ufe0f\ufe0e\u20e3\U0001F3FB\U0001F3FF\U000E0067\U000E007F"
# What UTF-8 read in a wrong encoding is full of, and what repairs look for around it.
SIGNS = "ÃÂâ€œ™šžŸŠÐÑÎÏØÙ×àåœŒ°¢£©®±²³µ¶·»¿½¾\xa0\xad\x81\x85\x9d\ufffd\x1a√≈‚вЂГўВРСβΒΓΞΟā│╔█ π†≠"
SPECIALS = ["<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "<End_Of_Text>", "<ſtart_of_text>",
            "<start_of_text", "<|startoftext|>", "<|endoftext|>", "</w>", "<end_of_text>>"]
SUFFIXES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'ſ", "'", "''", "'LL", "’s", "‘t"]
NAMES = sorted(html.entities.html5)


def assigned():
    """Assigned code points by block of 256, so that small scripts are drawn as often as large."""
    blocks = {}
    for code in range(0x110000):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co"):
            blocks.setdefault(code >> 8, []).append(chr(code))
    return list(blocks.values())


BLOCKS = assigned()
MARKS = [c for block in BLOCKS for c in block if unicodedata.combining(c)]
BASES = [c for block in BLOCKS for c in block if unicodedata.decomposition(c)[:1] not in ("", "<")]
WIDE = [chr(c) for c in range(0xFF01, 0xFFEF) if unicodedata.category(chr(c)) != "Cn"]


class Generator:
    """Draws strings of many kinds, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.kinds = [self.caption, self.entity, self.entities, self.mojibake, self.signs,
                      self.block, self.anything, self.combining, self.case, self.contraction,
                      self.special, self.controls, self.cjk, self.emoji, self.spaces, self.long,
                      self.code_bytes]

    def draw(self):
        text = self.kind()
        while self.random.random() < 0.4:
            text += self.random.choice(["", " ", " ", "\n"]) + self.kind()
        if self.random.random() < 0.2:
            text = self.damage(text)
        if self.random.random() < 0.1:
            text = self.misread(text)
        return text

    def kind(self):
        return self.random.choice(self.kinds)()

    def pick(self, pool, low, high):
        return "".join(self.random.choices(pool, k=self.random.randint(low, high)))

    def word(self):
        word = self.random.choice(WORDS)
        return self.random.choice([word, word, word.upper(), word.title()])

    def caption(self):
        text = " ".join(self.word() for _ in range(self.random.randint(1, 10)))
        return text + self.random.choice(["", ".", "!", "...", " &", "…", " - ", "?!"])

    def entity(self):
        name = self.random.choice(NAMES)
        name = self.random.choice([name, name, name.upper(), name.lower(), name.rstrip(";"),
                                   name[: self.random.randint(1, len(name))],
                                   name.rstrip(";") + self.random.choice("xZ9é;")])
        code = self.random.choice([self.random.randint(0, 300), self.random.randint(0, 0x3000),
                                   self.random.randint(0xD700, 0x110010), 10 ** 12])
        number = self.random.choice([f"#{code}", f"#x{code:x}", f"#X{code:X}", f"#00{code}", "#", "#x",
                                     f"#{code}a"]) + self.random.choice([";", ";", "", ";;"])
        return "&" + self.random.choice([name, number])

    def entities(self):
        text = self.random.choice([self.entity(), self.word(), "&lt;b&gt;", "<i>", "&quot;"])
        for _ in range(self.random.randint(1, 4)):
            text = self.random.choice([
                lambda: text.replace("&", "&amp;"),
                lambda: text.replace("&", "&AMP;").replace(";", "&semi;"),
                lambda: text.replace("&", "&#38;"),
                lambda: text + self.entity(),
                lambda: html_escape_some(text, self.random),
            ])()
        return text

    def misread(self, text):
        """UTF-8 of `text` read in another encoding, once or twice, perhaps damaged after."""
        for _ in range(self.random.choice([1, 1, 1, 2])):
            page = self.random.choice(PAGES)
            data = text.encode("utf-8")
            if self.random.random() < 0.3:
                text = data.decode(page, errors="replace")
            else:  # as ftfy's "sloppy" pages do
                text = "".join(sloppy(byte, page) for byte in data)
            text = self.random.choice([
                lambda: text, lambda: text, lambda: text.replace("\xa0", " "),
                lambda: text.upper(), lambda: text.lower(), lambda: text.replace("\x9d", "\ufffd"),
                lambda: text.replace("\x81", "?"), lambda: " ".join(text.split()),
            ])()
        return text

    def mojibake(self):
        source = self.random.choice([
            lambda: self.caption(), lambda: self.pick(QUOTES + "é–—…àáíñ°®™€", 1, 6),
            lambda: self.pick(self.random.choice(BLOCKS[:40]), 1, 8), self.emoji, self.cjk,
            lambda: self.pick("الصورةقط", 2, 8), lambda: self.pick("фотокшаΑΒΓαβγ", 2, 8)])()
        before, after = self.random.choice([("", ""), (self.word() + " ", ""), ("", " " + self.word()),
                                            ("“", "”"), ("", "\n")])
        return before + self.misread(source) + after

    def signs(self):
        return self.pick(SIGNS + "abz. \n", 1, 12)

    def code_bytes(self):
        """Bytes near UTF-8, also CESU-8 and overlong, as Latin-1 text."""
        parts = [b"\xc0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\x80", b"\xc3 ", b"\xc3\xa0",
                 b"\xe2 \x80", b"\xf0\x9f\x98\x80", b"\xf0 \x98\x80", b"\xc0\n", b"\xc0", b"\xed", b"a",
                 b" ", b"\xc3?", b"\xe2?\x80", b"quele ", b"s ", b"\x1a", b"\xc2\x85", b"\xe2\x80\x99"]
        data = b"".join(self.random.choices(parts, k=self.random.randint(1, 6)))
        return "".join(sloppy(byte, self.random.choice(["latin-1", "cp1252"])) for byte in data)

    def block(self):
        return self.pick(self.random.choice(BLOCKS), 1, 12)

    def anything(self):
        return "".join(self.random.choice(self.random.choice(BLOCKS))
                       for _ in range(self.random.randint(1, 12)))

    def combining(self):
        base = self.random.choice(["e", "A", "q", " ", "가", "ο", self.random.choice(BASES)])
        text = base + self.pick(MARKS, 0, 5)
        text += self.pick("\u1100\u1161\u11a8\u0300\u0301\u0327\u0338\u0345\u3099\u309a\u0f71", 0, 4)
        return unicodedata.normalize(self.random.choice(["NFC", "NFD", "NFKD"]), text) + self.pick(WIDE, 0, 4)

    def case(self):
        return self.pick(CASE + "ΑΣσ.:'\u00ad\u0301 aZ1", 1, 10)

    def contraction(self):
        return self.random.choice([self.word(), "!", "_", "1", ""]) + self.pick(SUFFIXES, 1, 4) + \
            self.random.choice([self.word(), "", " "])

    def special(self):
        return self.word() + self.random.choice(["", " ", "!"]) + self.random.choice(SPECIALS) + \
            self.random.choice(["", " ", "!", "'s"]) + self.word()

    def controls(self):
        codes = [chr(c) for c in [*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010),
                                  *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFF9,
                                  0xFFFC, 0xFDD0, 0xFFFF, 0xE000, 0x10FFFF, 0xE0001]]
        parts = codes + ["\x1b[31m", "\x1b[0;1", "\x1b[", "\x1b[٣m", "\r\n", "a", "&", "b", ";", "amp"]
        return self.pick(parts, 1, 10)

    def cjk(self):
        return self.pick([*"猫の写真カタカナ한국어漢字、。「」ｶﾞﾊﾟ", *WIDE[:60]], 1, 12)

    def emoji(self):
        return self.pick(EMOJI + JOINERS, 1, 8)

    def spaces(self):
        return "".join(self.random.choice([self.word(), self.random.choice(SPACES)])
                       for _ in range(self.random.randint(1, 10)))

    def long(self):
        unit = self.random.choice([self.word(), self.pick("abcx", 1, 3), self.kinds[3](), "!", "é", "Â"])
        return unit * self.random.randint(20, 200)

    def damage(self, text):
        """Drops, doubles, swaps or inserts a few characters."""
        chars = list(text)
        for _ in range(self.random.randint(1, 4)):
            if not chars:
                break
            at = self.random.randrange(len(chars))
            chars[at] = self.random.choice(["", chars[at] * 2, chars[at].swapcase(), "&", ";", "<", "'",
                                            chars[at] + self.random.choice(SIGNS)])
        return "".join(chars)


def html_escape_some(text, rng):
    return "".join(f"&#{ord(c)};" if rng.random() < 0.3 else c for c in text)


def sloppy(byte, page):
    char = bytes([byte]).decode(page, errors="replace")
    return chr(byte) if char == "\ufffd" else char


class Pair:
    """The two tokenizers."""

    def __init__(self, program):
        self.program = program
        self.reference = SimpleTokenizer()

    def expected(self, texts):
        self.reference.cache.clear()  # the reference keeps every word it has seen
        self.reference.cache.update({t: t for t in ("<start_of_text>", "<end_of_text>")})
        return self.reference(texts).tolist()

    def found(self, texts):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "texts.json"
            path.write_text(json.dumps(texts))
            run = subprocess.run([self.program, "tokenize", "--texts-json", str(path), "--json"],
                                 capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"{self.program} failed ({run.returncode}): {run.stderr.strip()}")
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        if len(rows) != len(texts):
            sys.exit(f"{self.program} printed {len(rows)} rows for {len(texts)} texts")
        return rows

    def differing(self, texts):
        return [t for t, a, b in zip(texts, self.expected(texts), self.found(texts)) if a != b]

    def minimized(self, text):
        """A shorter string that differs too: pieces are cut out as long as that is possible."""
        size = max(1, len(text) // 2)
        while True:
            cuts = [text[:i] + text[i + size:] for i in range(0, len(text), size)]
            shorter = self.differing([c for c in cuts if c])
            if shorter:
                text = min(shorter, key=len)
            elif size == 1:
                return text
            size = max(1, min(size // 2, len(text) // 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clipnext", required=True, help="the program")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", help="append differing strings, cut down, with the reference's ids "
                        "to this JSON lines file")
    args = parser.parse_args()
    generator = Generator(args.seed)
    pair = Pair(args.clipnext)
    differing = []
    done = 0
    while done < args.count:
        texts = [generator.draw() for _ in range(min(2000, args.count - done))]
        differing += pair.differing(texts)
        done += len(texts)
        print(f"{done} strings, {len(differing)} differ", file=sys.stderr)
    shortest = sorted({pair.minimized(text) for text in differing[:50]}, key=lambda t: (len(t), t))
    for text in shortest:
        expected, found = pair.expected([text])[0], pair.found([text])[0]
        print(f"{ascii(text)}\n  expected {expected[:expected.index(49407) + 1]}\n"
              f"  found    {found[:found.index(49407) + 1]}")
    if args.save:
        with open(args.save, "a", encoding="ascii") as file:
            for text in shortest:
                file.write(json.dumps({"text": text, "ids": pair.expected([text])[0]}) + "\n")
    print(f"{args.count} strings, seed {args.seed}: {len(differing)} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
