#!/usr/bin/python3
"""Rebuilds the two fonts from Noto Sans CJK SC (SIL Open Font License, OFL.txt).

What is in them: every character of GBK, the 8105 general standard characters
(通用规范汉字表, 2013; Unihan's kTGH), rare ones of names and places (rare.txt), Latin,
punctuation, arrows and marks. The outlines are turned from cubic (CFF) to quadratic
curves (glyf), because the PDF writer reads only those, within TOLERANCE units of
1000 to the em. Hints and layout features are left out: they would double the size.

Needs Debian's fonts-noto-cjk, python3-fonttools and unicode-data. It also writes
general.txt, the general standard characters that GBK lacks, for the test.
"""
import bz2
import os

from fontTools import subset
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable

SOURCE = "/usr/share/fonts/opentype/noto/NotoSansCJK-%s.ttc"
FACE = 2  # SC within the collection
UNIHAN = "/usr/share/unicode/Unihan_OtherMappings.txt.bz2"
TOLERANCE = 2.0
MARKS = "–—‘’“”…‰′″※€℃№→←↑↓⇄⌫✓✗✕●○◆◇▲△▼▽■□★☆⚠ㆍ·☐☑①②③④⑤⑥⑦⑧⑨⑩±×÷≈≠≤≥²³㎡"


# Newer tables of GBK have these where older ones, Python's among them, have private
# characters or nothing.
GBK_ADDED = "ǹ〾⿰⿱⿲⿳⿴⿵⿶⿷⿸⿹⿺⿻⺁⺄㑳⺈⺋㖞㘚⺌⺗㥮㧏㩳㱮㳠⺧⺪⺮䌷⺳⺶⺷䎱䎬⺻䙡䙌䜩䝼䞍⻊䥇䥺䦂䦅䦆䦟䦛䦷䦶䲣䲡䱷"


def gbk():
    found = set(GBK_ADDED)
    for high in range(0x81, 0xFF):
        for low in range(0x40, 0xFF):
            try:
                found.add(bytes([high, low]).decode("gbk"))
            except UnicodeDecodeError:
                pass
    return found


def general():
    found = set()
    with bz2.open(UNIHAN, "rt", encoding="utf-8") as lines:
        for line in lines:
            parts = line.rstrip("\n").split("\t")
            if len(parts) == 3 and parts[1] == "kTGH":
                found.add(chr(int(parts[0][2:], 16)))
    assert len(found) == 8105, len(found)
    return found


def wanted():
    text = set(open("rare.txt", encoding="utf-8").read().strip())
    beyond = general() - gbk()
    with open("general.txt", "w", encoding="utf-8") as out:
        out.write("".join(sorted(beyond)) + "\n")
    text |= gbk() | beyond | set(MARKS) | {chr(c) for c in range(0x20, 0x180)}
    return sorted(ord(c) for c in text if c.isprintable() or c == "\u3000")


def quadratic(font):
    """Replaces the CFF outlines of a font by TrueType ones."""
    glyphs, order = font.getGlyphSet(), font.getGlyphOrder()
    drawn = {}
    for name in order:
        pen = TTGlyphPen(glyphs)
        glyphs[name].draw(Cu2QuPen(pen, TOLERANCE, reverse_direction=True))
        drawn[name] = pen.glyph()
    font["loca"], glyf = newTable("loca"), newTable("glyf")
    font["glyf"] = glyf
    glyf.glyphOrder, glyf.glyphs = order, drawn
    for name in order:
        drawn[name].recalcBounds(glyf)
        advance, _ = font["hmtx"][name]
        font["hmtx"][name] = (advance, getattr(drawn[name], "xMin", 0))
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for field in ("maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs",
                  "maxStackElements", "maxSizeOfInstructions", "maxPoints", "maxContours",
                  "maxCompositePoints", "maxCompositeContours", "maxComponentElements", "maxComponentDepth"):
        setattr(maxp, field, 1 if field == "maxZones" else 0)
    post = font["post"]
    post.formatType, post.extraNames, post.mapping = 3.0, [], {}
    for table in ("CFF ", "VORG", "vhea", "vmtx", "GSUB", "GPOS", "GDEF", "BASE", "DSIG"):
        if table in font:
            del font[table]
    font.sfntVersion = "\000\001\000\000"


def main():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    characters = wanted()
    for weight in ("Regular", "Bold"):
        options = subset.Options(layout_features=[], hinting=False, desubroutinize=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
                                 name_languages=[0x409], notdef_outline=True, drop_tables=["vhea", "vmtx", "VORG", "BASE", "GPOS", "GSUB"])
        font = TTFont(SOURCE % weight, fontNumber=FACE, lazy=True, recalcTimestamp=False)
        cut = subset.Subsetter(options)
        cut.populate(unicodes=characters)
        cut.subset(font)
        quadratic(font)
        name = "NotoSansSC-%s.ttf" % weight
        font.save(name)
        print(name, os.path.getsize(name), "bytes,", len(font.getGlyphOrder()), "glyphs")


if __name__ == "__main__":
    main()
