// Package icon holds the app's icon.
package icon

import _ "embed" // the icon

// PNG is the icon, 256 by 256.
//
//go:embed ironfeet.png
var PNG []byte
