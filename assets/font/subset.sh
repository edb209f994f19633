#!/usr/bin/env bash
# Rebuilds the two fonts from Noto Sans CJK SC (SIL Open Font License, OFL.txt):
# every character of GB 2312, rare characters of names and places (rare.txt),
# punctuation, arrows and box marks. Needs Debian's fonts-noto-cjk and
# python3-fonttools. Hinting and layout features are left out: they would double
# the size.
set -eu
cd "$(dirname "$0")"
chars=$(mktemp)
trap 'rm -f "$chars"' EXIT
/usr/bin/python3 - "$chars" <<'PY'
import sys
text = set(open("rare.txt", encoding="utf-8").read())
for high in range(0xA1, 0xF8):
    for low in range(0xA1, 0xFF):
        try:
            text.add(bytes([high, low]).decode("gb2312"))
        except UnicodeDecodeError:
            pass
text |= {chr(c) for c in range(0x20, 0x17F)}
text |= set("–—‘’“”…‰′″※€℃№→←↑↓⇄✓✗✕●○◆◇▲△▼▽■□★☆⚠ㆍ·")
open(sys.argv[1], "w", encoding="utf-8").write("".join(sorted(c for c in text if c.isprintable())))
PY
for weight in Regular Bold; do
	/usr/bin/python3 -m fontTools.subset "/usr/share/fonts/opentype/noto/NotoSansCJK-$weight.ttc" --font-number=2 \
		--text-file="$chars" --output-file="NotoSansSC-$weight.otf" --layout-features='' --no-hinting --desubroutinize
done
