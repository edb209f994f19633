//go:build !unix

package standards_test

import "time"

func cpu() time.Duration { return 0 }
