#!/usr/bin/env python3
"""Makes the tokenizer's data tables from Python's standard library (written with Python 3.11).

    python3 tools/make_text_tables.py

writes src/text/html_entities.tsv: HTML5's named references (name TAB value [TAB value in capitals],
code points in hex; the third column where the name in capitals is decoded too, as ftfy does), and
src/text/code_pages.inc: bytes 80..FF of the code pages that mojibake repair tries.
"""
import html
import html.entities
import pathlib

TEXT = pathlib.Path(__file__).resolve().parent.parent / "src" / "text"
# ftfy's order; its "sloppy" pages decode an unassigned byte as Latin-1 does.
CODE_PAGES = [
    ("latin-1", False),
    ("windows-1252", True),
    ("windows-1251", True),
    ("windows-1250", True),
    ("windows-1253", True),
    ("windows-1254", True),
    ("windows-1257", True),
    ("iso-8859-2", False),
    ("macroman", False),
    ("cp437", False),
]


def code_points(text):
    return " ".join(f"{ord(c):04X}" for c in text)


def entity_row(name, value):
    row = f"{name}\t{code_points(value)}"
    shouted = "&" + name.upper()
    if name.endswith(";") and name == name.lower() and html.unescape(shouted) == shouted:
        row += "\t" + code_points(value.upper())
    return row


def code_page(name, sloppy):
    codes = []
    for byte in range(0x80, 0x100):
        char = bytes([byte]).decode(name, errors="replace")
        assert sloppy or char != "\ufffd"
        codes.append(byte if char == "\ufffd" else ord(char))
    title = ("sloppy " if sloppy else "") + name
    lines = [f'{{"{title}", {str(sloppy).lower()}, {{']
    lines += ["    " + ", ".join(f"0x{c:04X}" for c in codes[i : i + 12]) + ","
              for i in range(0, 128, 12)]
    return "\n".join(lines) + "\n}},\n"


def main():
    rows = [entity_row(name, html.entities.html5[name]) for name in sorted(html.entities.html5)]
    (TEXT / "html_entities.tsv").write_text("\n".join(rows) + "\n")
    note = "// Made by tools/make_text_tables.py.\n"
    (TEXT / "code_pages.inc").write_text(note + "".join(code_page(*page) for page in CODE_PAGES))


if __name__ == "__main__":
    main()
