#!/usr/bin/env python3
"""Makes tests/data/text/more_vectors.jsonl with open_clip's tokenizer, beside the hand-picked
vectors.jsonl (same packages). Written with open_clip_torch 3.3.0, ftfy 6.3.1, regex 2022.10.31,
Python 3.11.

    .oracle/bin/python tools/make_text_fixtures.py

Each line: {"text": str, "clean": cleaning mode, "ids": start ... end, not padded}.
"""
import json
import pathlib

from open_clip.tokenizer import SimpleTokenizer

import fuzz_tokenizer

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/data/text/more_vectors.jsonl"
# Behaviour of the reference that is easy to miss.
QUIRKS = [
    "a\u0345b !\u0345! \u03b1\u0345",  # in no alternative of the pattern: it only separates
    "&amp&#59; &amp&#x3b;",  # ftfy keeps a reference to `;`
    "caf\u00c3\u00a9\u00c0\nbar",  # C0 and a last line feed decode as U+0000
    "\u00ed\u00a0\u00bd\u00ed\u00b8\u0080 \u00c3\u00a9",  # CESU-8
    "A\u03a3. A\u03a3.B \u03a3 1\u03a3 \u0345\u03a3 \u02b0\u03a3",
    "&lt;&eacute;\n&eacute;<\n&eacute;",  # `<` in a later line leaves the lines before alone
    "&amp;amp;amp;amp;amp;lt;i&gt;",
    "\u00c3 la mode \u00c3 s \u00c3\u00a9",
    "\u00e2\u20ac\u0153lost\u00e2\u20ac\ufffd",
    "\x1b[31mred\x1b[\u0663m \x1b[0",
    "&#1;&#x85;&#128;&#xD800;&#1114112;&#xFFFE;&#13;x",
    "&NTILDE;&SZLIG;&nTILDE;&notit;&copycat&ampfoo",
]
MODES = ["lower", "whitespace", "canonicalize"]
TEXTS = ["Caf\u00e9 &amp; Cr\u00e8me \u2014 <b>2nd</b>!", "snake_case_label", "A.B's  c", "\u00c9T\u00c9_!",
         "<START_OF_TEXT> Don'T <end_of_text>", "   ", "_._", "It\u2019\u017f"]


def main():
    generator = fuzz_tokenizer.Generator(2026)
    plan = {mode: TEXTS + [generator.draw()[:120] for _ in range(60)] for mode in MODES}
    plan["lower"] += QUIRKS + [generator.draw()[:120] for _ in range(240)]
    with open(OUT, "w", encoding="ascii") as file:
        for mode, texts in plan.items():
            tokenizer = SimpleTokenizer(clean=mode)
            for text, ids in zip(texts, tokenizer(texts).tolist()):
                # The last end of text: one typed in the text does not end the row.
                size = len(ids) - ids[::-1].index(tokenizer.eot_token_id)
                row = {"text": text, "clean": mode, "ids": ids[:size]}
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
