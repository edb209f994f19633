// Package font holds Noto Sans CJK SC in two weights, cut down to the characters
// of GB 2312 and rare ones of names and places (subset.sh; SIL Open Font License,
// OFL.txt). A character that is in neither is looked for among the system's fonts.
package font

import _ "embed" // the fonts

// Regular and Bold are OpenType (CFF) fonts.
var (
	//go:embed NotoSansSC-Regular.otf
	Regular []byte
	//go:embed NotoSansSC-Bold.otf
	Bold []byte
	// Rare lists the characters beyond GB 2312.
	//go:embed rare.txt
	Rare string
)
